import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openat2, Task } from "@nearfar/core";
import { setNoNewPrivs } from "@nearfar/process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { landlockAddRule, landlockCreateRuleset, landlockRestrictSelf } from "../src/index.ts";

const make = { flags: ["creat", "excl", "wronly"], mode: 0o600 } as const;

needs("Landlock").test("the three calls restrict a task, and nothing else", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-landlock-"));
	const inner = join(folder, "inner");
	try {
		await using task = await Task.clone();
		task.run(() => {
			using ruleset = landlockCreateRuleset({ fs: ["makeDir", "makeReg"] });
			landlockAddRule(ruleset, { at: folder, allow: 1n << 7n }); // makeDir
			setNoNewPrivs();
			landlockRestrictSelf(ruleset);
		});
		const syscall = "openat2";
		expect(refusal(() => task.run(() => openat2(inner, make)))).toMatchObject({ code: "EACCES", syscall });
		task.run(() => openat2(folder, { flags: ["directory"] }).close());
		expect(refusal(() => Task.near.run(() => openat2(folder, { flags: ["directory"] }).close()))).toEqual({});
	} finally {
		rmdirSync(folder);
	}
});

test("near, restricting is refused before any call", () => {
	expect(refusal(() => landlockRestrictSelf(null)).code).toBe("ERR_NEARFAR_MULTITHREADED");
});
