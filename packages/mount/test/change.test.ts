import { writeFileSync } from "node:fs";
import { openat2 } from "@nearfar/core";
import { mount } from "@nearfar/mount";
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

test("MNT-17 one kind of propagation at a time, and of a mount", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const both = refusal(() => mount(null, place, null, { flags: ["shared", "private"] }));
		expect(both).toMatchObject({ code: "EINVAL", syscall: "mount" });
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
