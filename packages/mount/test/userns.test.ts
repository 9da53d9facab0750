import { type NamespaceKind, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, sandbox } from "./sandbox.ts";

const rootless = (...more: NamespaceKind[]) => sandbox({ namespaces: ["user", "mnt", ...more], idMap: "root" });

test("MNT-18 what a more privileged namespace has set is locked", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs", { flags: ["rdonly", "nosuid"] }));
	await using task = await box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	const remount = (...flags: ("rdonly" | "nosuid" | "noexec" | "noatime")[]) =>
		refusal(() => task.run(() => mount(null, place, null, { flags: ["remount", "bind", ...flags] })));
	expect(remount("nosuid")).toMatchObject({ code: "EPERM", syscall: "mount" });
	expect(remount("rdonly", "nosuid", "noexec")).toEqual({});
	expect(mountAt(task, place)?.options).toEqual(expect.arrayContaining(["ro", "nosuid", "noexec"]));
	expect(remount("rdonly", "noexec")).toMatchObject({ code: "EPERM", syscall: "mount" });
	expect(remount("rdonly", "nosuid", "noatime")).toMatchObject({ code: "EPERM", syscall: "mount" });
});

test("MNT-20 a user namespace without mounts of its own may mount nothing", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const refused = task.run(() => refusal(() => mount("none", "/tmp", "tmpfs")));
	expect(refused).toMatchObject({ code: "EPERM", syscall: "mount" });
});

describe("MNT-21 what user and mount namespace may mount", () => {
	for (const fstype of ["tmpfs", "ramfs", "devpts", "overlay", "binfmt_misc"]) {
		needs(`the file system ${fstype}`, ...(fstype === "binfmt_misc" ? (["Linux 6.7"] as const) : [])).test(
			`MNT-21 ${fstype} is allowed`,
			async () => {
				await using box = await rootless();
				const place = box.folder("place");
				const [upperdir, workdir] = [box.folder("upper"), box.folder("work")];
				const layers = `lowerdir=${place},upperdir=${upperdir},workdir=${workdir},userxattr`;
				box.task.run(() => mount("none", place, fstype, fstype === "overlay" ? { data: layers } : {}));
				expect(mountAt(box.task, place)).toMatchObject({ type: fstype });
			},
		);
	}
	for (const fstype of ["ext4", "erofs", "proc", "sysfs", "mqueue", "cgroup2", "debugfs", "bpf"]) {
		needs(`the file system ${fstype}`).test(`MNT-21 ${fstype} is EPERM`, async () => {
			await using box = await rootless();
			const place = box.folder("place");
			const refused = box.task.run(() => refusal(() => mount("none", place, fstype)));
			expect(refused).toMatchObject({ code: "EPERM", syscall: "mount" });
		});
	}
});

for (const fstype of ["proc", "sysfs", "mqueue", "cgroup2"]) {
	const whole = fstype === "proc" || fstype === "sysfs" ? (["a /proc and a /sys that nothing hides"] as const) : [];
	needs(`the file system ${fstype}`, ...whole).test(`MNT-22 with pid, net, ipc and cgroup ${fstype} too`, async () => {
		await using box = await rootless("pid", "net", "ipc", "cgroup");
		const place = box.folder("place");
		box.task.run(() => mount("none", place, fstype));
		expect(mountAt(box.task, place)).toMatchObject({ type: fstype });
	});
}
