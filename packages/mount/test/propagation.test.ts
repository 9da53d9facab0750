import { mount, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { mountAt, sandbox } from "./sandbox.ts";

// For each kind of propagation of the copy: whether a mount on the original appears on the copy, and the other way round.
test.each([
	["shared", true, true],
	["private", false, false],
	["slave", true, false],
] as const)("MNT-09 a %s copy of a shared mount: its events arrive %s, and leave %s", async (kind, arrives, leaves) => {
	await using box = await sandbox();
	const [original, copy] = [box.folder("original"), box.folder("copy")];
	box.task.run(() => {
		mount("label", original, "tmpfs");
		mount(null, original, null, { flags: ["shared"] });
		mount(original, copy, null, { flags: ["bind"] });
		mount(null, copy, null, { flags: [kind] });
	});
	for (const name of ["there", "here"]) box.folder(`original/${name}`);
	box.task.run(() => {
		mount("one", `${original}/there`, "tmpfs");
		mount("two", `${copy}/here`, "tmpfs");
	});
	expect(mountAt(box.task, `${copy}/there`) !== undefined).toBe(arrives);
	expect(mountAt(box.task, `${original}/here`) !== undefined).toBe(leaves);
	// What is unmounted at one place goes at the other one too, as far as events pass.
	box.task.run(() => umount(`${original}/there`));
	expect(mountAt(box.task, `${copy}/there`)).toBeUndefined();
});
