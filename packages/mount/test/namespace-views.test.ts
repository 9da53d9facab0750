// The file systems that show a namespace of the task, and what else a user namespace may mount by the functions of one call.
import { readdirSync } from "node:fs";
import type { FileDescriptor, NamespaceKind } from "@nearfar/core";
import { cgroup2, devpts, Mount, moveMount, mqueue, proc, sysfs, tmpfs } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { arm64, mountAt, sandbox, traces } from "./sandbox.ts";

const rootless = (...more: NamespaceKind[]) => sandbox({ namespaces: ["user", "mnt", ...more], idMap: "root" });
const views = { proc, sysfs, mqueue, cgroup2 };
const SYS_mq_open = arm64 ? 180 : 240;
const refusedByCreate = { code: "EPERM", syscall: expect.stringMatching(/^fs(open|config|mount)$/) };

describe("MNT-21 what a user and a mount namespace may mount", () => {
	test.each([
		["tmpfs", tmpfs],
		["devpts", devpts],
		["ramfs", (place: string) => moveMount(Mount.create("ramfs"), place)],
	])("MNT-21 %s is allowed", async (fstype, make) => {
		await using box = await rootless();
		const place = box.folder("place");
		box.task.run(() => make(place));
		expect(mountAt(box.task, place)).toMatchObject({ type: fstype, source: fstype });
	});

	for (const [fstype, make] of Object.entries(views)) {
		needs(`the file system ${fstype}`).test(`MNT-21, systemd #1555: ${fstype} is EPERM with a hint`, async () => {
			await using box = await rootless();
			const place = box.folder("place");
			const before = traces(box.task);
			const expected = { ...refusedByCreate, hint: expect.any(String) };
			expect(box.task.run(() => refusal(() => make(place)))).toMatchObject(expected);
			await expect(box.task.batch(() => make(place))).rejects.toMatchObject(expected);
			expect(traces(box.task)).toEqual(before);
		});
	}

	for (const fstype of ["ext4", "erofs", "debugfs", "bpf"]) {
		needs(`the file system ${fstype}`).test(`MNT-21 Mount.create of ${fstype} is EPERM with a hint`, async () => {
			await using box = await rootless();
			const before = traces(box.task);
			const refused = box.task.run(() => refusal(() => Mount.create(fstype)));
			expect(refused).toMatchObject({ ...refusedByCreate, hint: expect.any(String) });
			expect(traces(box.task)).toEqual(before);
		});
	}
});

describe("MNT-22 with pid, net, ipc and cgroup", () => {
	for (const [fstype, make] of Object.entries(views)) {
		const hides = fstype === "proc" || fstype === "sysfs" ? (["a /proc and a /sys that nothing hides"] as const) : [];
		needs(`the file system ${fstype}`, ...hides).test(`MNT-22 ${fstype} is allowed`, async () => {
			await using box = await rootless("pid", "net", "ipc", "cgroup");
			const [place, other] = [box.folder("place"), box.folder("other")];
			box.task.run(() => {
				make(place);
				make(other, { source: "label", set: ["rdonly"], propagation: "shared" });
				// The kernel gives a user namespace no proc and no sysfs whose access times differ from those of the one in sight.
				const differing = refusal(() => make(null, { atime: "noatime" }).close());
				expect(differing).toMatchObject(hides.length > 0 ? { code: "EPERM", syscall: "fsmount" } : {});
			});
			expect(mountAt(box.task, place)).toMatchObject({
				type: fstype,
				source: fstype,
				options: ["rw", "nosuid", "nodev", "noexec", "relatime"],
			});
			expect(mountAt(box.task, other)).toMatchObject({
				source: "label",
				options: ["ro", "relatime"],
				propagation: ["shared"],
			});
		});
	}

	needs("a /proc and a /sys that nothing hides").test("a sysfs shows the net namespace of the task", async () => {
		await using box = await rootless("net");
		const place = box.folder("place");
		box.task.run(() => sysfs(place));
		expect(readdirSync(box.outside("place/class/net"))).toEqual(["lo"]);
	});

	needs("the file system mqueue").test("a mqueue shows the queues of the ipc namespace of the task", async () => {
		await using box = await rootless("ipc");
		const place = box.folder("place");
		const create = 0o102; // O_CREAT, O_RDWR
		box.task.run(() => {
			mqueue(place);
			const name = Buffer.from("of-the-task\0");
			using _queue = box.task.syscall(SYS_mq_open, name, create, 0o600, 0, { fd: true }) as unknown as FileDescriptor;
			expect(readdirSync(box.outside("place"))).toEqual(["of-the-task"]);
		});
	});

	needs("the file system cgroup2").test("a cgroup2 shows the cgroup namespace of the task", async () => {
		await using box = await rootless("cgroup");
		const place = box.folder("place");
		box.task.run(() => cgroup2(place));
		expect(mountAt(box.task, place)?.root).toBe("/");
		expect(readdirSync(box.outside("place"))).toContain("cgroup.procs");
	});
});
