import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { refusal } from "../../../../test/refusal.ts";
import { run } from "../../src/index.ts";
import { TemporaryFolder } from "../../src/landlock/tmp.ts";
import { folder } from "../attempts.ts";
import { landlock } from "./landlock.ts";

const name = "nearfar-0123456789ab";
const openFiles = () => readdirSync("/proc/self/fd").length;

test("a folder that cannot be made leaves no folder and no descriptor behind", () => {
	const at = folder();
	mkdirSync(join(at, name));
	const before = openFiles();
	const error = refusal(() => Task.near.run(() => TemporaryFolder.make(join(at, name))));
	expect(error).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH", step: "tmp", cause: { code: "EEXIST" } });
	expect(readdirSync(at)).toEqual([name]);
	expect(openFiles()).toBe(before);
});

test("a folder that no program has had is removed at once", () => {
	const at = folder();
	const before = openFiles();
	const made = Task.near.run(() => TemporaryFolder.make(join(at, name)));
	expect(readdirSync(join(at, name))).toEqual(["home"]);
	Task.near.run(() => made.discard());
	expect(readdirSync(at)).toEqual([]);
	expect(openFiles()).toBe(before);
});

needs("ABI 3 of Landlock").test("a TMPDIR that can be written and not listed is one", async () => {
	const at = folder();
	chmodSync(at, 0o333); // root lists it all the same: the tests run as an ordinary user, too
	const before = process.env.TMPDIR;
	process.env.TMPDIR = at;
	try {
		expect((await run("sh", ["-c", "echo x > $TMPDIR/file && cat $TMPDIR/file"], landlock)).stdout).toBe("x\n");
	} finally {
		if (before === undefined) delete process.env.TMPDIR;
		else process.env.TMPDIR = before;
		chmodSync(at, 0o755);
	}
	expect(readdirSync(at)).toEqual([]);
});
