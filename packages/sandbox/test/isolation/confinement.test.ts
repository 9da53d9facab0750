import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@nearfar/core";
import { expect } from "vitest";
import { descriptorsLeft, descriptorsOf } from "../../../../test/descriptors.mjs";
import { needs } from "../../../../test/needs.ts";
import { refusal } from "../../../../test/refusal.ts";
import { checkSandbox } from "../../src/check.ts";
import { requireLandlock } from "../../src/host/landlock.ts";
import { Confinement } from "../../src/landlock/confinement.ts";
import { draw } from "../../src/plan.ts";
import { folder } from "../attempts.ts";
import { landlock } from "./landlock.ts";

// Nothing says when a sandbox has its plan and has not opened the paths: so the two are called one by one.
needs("ABI 3 of Landlock").test("a file that takes the place of an allowed one is an error", async () => {
	const at = folder();
	const file = join(at, "file");
	writeFileSync(file, "seen");
	writeFileSync(join(at, "other"), "other");
	const options = checkSandbox({ ...landlock, read: ["/usr", file] });
	const module = await requireLandlock(options);
	const confine = (blueprint: ReturnType<typeof draw>) =>
		Task.near.run(() => new Confinement(blueprint, module, false));

	await confine(draw(options)).end();
	const drawn = draw(options);
	renameSync(join(at, "other"), file);
	const before = descriptorsOf(/./).length;
	const exchanged = refusal(() => confine(drawn));
	expect(exchanged).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH", step: `read ${file}` });
	expect(exchanged.message).toContain("another file has taken its place");
	renameSync(file, join(at, "other"));
	expect(refusal(() => confine(drawn))).toMatchObject({ step: `read ${file}`, cause: { code: "ENOENT" } });
	expect(await descriptorsLeft(/./, before)).toBe(0);
	await confine({ ...draw(checkSandbox({ ...landlock, read: ["/usr", join(at, "other")] })) }).end();
});
