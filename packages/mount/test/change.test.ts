import { writeFileSync } from "node:fs";
import { openat2 } from "@nearfar/core";
import { type MountFlag, MountFlags, mount, mountSetattr } from "@nearfar/mount";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, mountsOf, sandbox } from "./sandbox.ts";

test("MNT-02 a mount with a writer cannot become read-only", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const remount = { flags: ["remount", "rdonly"] } as const;
		const bindRemount = { flags: ["remount", "bind", "rdonly"] } as const;
		{
			using _writer = openat2(`${place}/file`, { flags: ["creat", "wronly"], mode: 0o600 });
			expect(refusal(() => mount(null, place, null, remount))).toMatchObject({ code: "EBUSY", syscall: "mount" });
			expect(refusal(() => mount(null, place, null, bindRemount))).toMatchObject({ code: "EBUSY", syscall: "mount" });
		}
		mount(null, place, null, bindRemount);
		mount(null, place, null, remount);
	});
	expect(refusal(() => writeFileSync(box.outside("place/file"), ""))).toMatchObject({ code: "EROFS" });
});

test("MNT-03 what is no mount cannot be remounted", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		const refused = refusal(() => mount(null, place, null, { flags: ["remount"] }));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount", path: place });
	});
});

const sharedAndPrivate = 0x14_0000;

test("MNT-17 one kind of propagation at a time, and of a mount", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const both = refusal(() => mount(null, place, null, { flags: sharedAndPrivate }));
		expect(both).toMatchObject({ code: "EINVAL", syscall: "mount" });
		for (const flags of [["shared", "private"] as const, MountFlags.from(sharedAndPrivate)]) {
			const refused = refusal(() => mount(null, place, null, { flags }));
			expect(refused).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
		}
		const none = refusal(() => mount(null, plain, null, { flags: ["shared"] }));
		expect(none).toMatchObject({ code: "EINVAL", syscall: "mount" });
		mount(null, place, null, { flags: ["shared"] });
	});
	expect(mountAt(box.task, place)?.propagation).toEqual(["shared"]);
	expect(mountsOf(box.task).filter(({ propagation }) => propagation.length > 0)).toHaveLength(1);
});

test("move moves", async () => {
	await using box = await sandbox();
	const [from, to] = [box.folder("from"), box.folder("to")];
	box.task.run(() => {
		mount("label", from, "tmpfs");
		mount(from, to, null, { flags: ["move"] });
		const again = refusal(() => mount(from, to, null, { flags: ["move"] }));
		expect(again).toMatchObject({ code: "EINVAL", syscall: "mount" });
		const below = refusal(() => mount(box.inside(), to, null, { flags: ["move"] }));
		expect(below).toMatchObject({ code: "ELOOP", syscall: "mount" });
	});
	expect(mountAt(box.task, from)).toBeUndefined();
	expect(mountAt(box.task, to)).toMatchObject({ source: "label" });
});

test("snapd PR 6885 propagation beside other flags is refused: the kernel would drop it or refuse both", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	const kinds = ["private", "shared", "slave", "unbindable"] as const;
	const others = ["bind", "rdonly", "remount", "move", "nosuid", "noatime", "lazytime"] as const;
	box.task.run(() => {
		mount("label", source, "tmpfs");
		for (const kind of kinds) {
			for (const other of others) {
				for (const flags of [[kind, other, "rec"] as const, MountFlags.from([other, kind])]) {
					const refused = refusal(() => mount(source, place, null, { flags }));
					expect(refused).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
				}
			}
		}
		const unnamed = MountFlags.from(0x8000_0000).change("shared");
		expect(refusal(() => mount(source, place, null, { flags: unnamed }))).toBeInstanceOf(TypeError);
	});
	expect(mountAt(box.task, place)).toBeUndefined();
	// What the refusal prevents: a number reaches the kernel, whose bind drops the propagation without an error.
	box.task.run(() => mount(source, place, null, { flags: MountFlags.from(["bind", "shared"]).bits }));
	expect(mountAt(box.task, place)).toMatchObject({ source: "label", propagation: [] });
});

test("rustix #1247 propagation of a whole tree, without a source", async () => {
	await using box = await sandbox();
	const [place, below] = [box.folder("place"), box.inside("place/below")];
	const change = (flags: readonly MountFlag[] | MountFlags) => {
		box.task.run(() => mount(null, place, null, { flags }));
		return [place, below].map((at) => mountAt(box.task, at)?.propagation);
	};
	box.task.run(() => mount("label", place, "tmpfs"));
	box.folder("place/below");
	box.task.run(() => mount("label", below, "tmpfs"));
	expect(change(["rec", "shared", "silent"])).toEqual([["shared"], ["shared"]]);
	expect(change(MountFlags.parse("rslave"))).toEqual([[], []]);
	expect(change(["shared"])).toEqual([["shared"], []]);
	expect(change(MountFlags.parse("runbindable,silent"))).toEqual([["unbindable"], ["unbindable"]]);
	expect(change(MountFlags.parse("private"))).toEqual([[], ["unbindable"]]);
});

test("rkt PR 2880, MNT-06 a remount forgets the flags that are not repeated, and mountSetattr keeps them", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const flags = ["nosuid", "nodev", "noexec", "nosymfollow", "noatime", "nodiratime"] as const;
	const optionsOf = () => new Set(mountAt(box.task, place)?.options);
	box.task.run(() => mount("label", place, "tmpfs", { flags }));
	expect(optionsOf()).toEqual(new Set(["rw", ...flags]));
	box.task.run(() => mountSetattr(place, { set: ["rdonly"] }));
	expect(optionsOf()).toEqual(new Set(["ro", ...flags]));
	box.task.run(() => mount(null, place, null, { flags: ["remount", "bind", "rdonly"] }));
	expect(optionsOf()).toEqual(new Set(["ro", "noatime", "nodiratime"]));
	box.task.run(() => mount(null, place, null, { flags: ["remount", "bind", "nosuid", "relatime"] }));
	expect(optionsOf()).toEqual(new Set(["rw", "nosuid", "relatime"]));
});
