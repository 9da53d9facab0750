import { mkdirSync, rmdirSync } from "node:fs";
import { chroot, type FileDescriptor, Location, openat2, statx, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import {
	listmount,
	type MountInfo,
	mount,
	mountinfo,
	mountSetattr,
	moveMount,
	openTree,
	statmount,
} from "@nearfar/mount";
import { describe, expect } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { sandbox } from "./sandbox.ts";

const { test } = needs("Linux 6.8");
const [SYS_statmount, SYS_listmount] = [457, 458];
const [EPERM, ENOSYS] = [1, 38];
const syscall = "statmount";

/** Opens a namespace of a task, for a call of this process. */
function namespaceOf(task: Task, kind = "mnt"): FileDescriptor {
	const far = task.run(() => openat2(`/proc/self/ns/${kind}`));
	const near = task.get(far);
	far.close();
	return near;
}

test("STM-01 an empty mask has an empty answer", () => {
	expect(statmount("/", { mask: 0 })).toStrictEqual({ mask: 0 });
	expect(statmount("/", { mask: [] })).toStrictEqual({ mask: 0 });
});

test("STM-02 the ids are those of statx", async () => {
	await using box = await sandbox();
	for (const place of ["/", box.inside(), "/proc"]) {
		const [stat, file] = box.task.run(() => [statmount(place, { mask: ["mntBasic"] }), statx(place)] as const);
		expect(stat).toMatchObject({ mask: 2, id: file.mountIdUnique, reusedId: file.mountId });
		expect(stat).not.toHaveProperty("fsType");
	}
	const [inner, root] = box.task.run(() => [statmount(box.inside()), statmount("/")]);
	expect(inner.dev).toEqual(box.task.run(() => statx(box.inside()).dev));
	expect(inner.id).toBeGreaterThan(2n ** 31n);
	expect(root.id).not.toBe(inner.id);
});

test("a mount is named by its id, a path, a descriptor and a location", async () => {
	await using box = await sandbox();
	const folder = box.folder("folder");
	box.task.run(() => {
		const expected = statmount(box.inside());
		expect(expected).toMatchObject({ mountPoint: box.inside(), source: "scratch", fsType: "tmpfs", root: "/" });
		using file = openat2(folder, { flags: ["path"] });
		for (const place of [expected.id ?? 0n, folder, Buffer.from(folder), file, new Location(file, "..")]) {
			expect(statmount(place)).toEqual(expected);
		}
	});
});

needs("Linux 6.15").test("every mount is as mountinfo has it, near and far", async () => {
	await using box = await sandbox();
	const place = box.folder("x (deleted)\n");
	const gone = box.folder("gone");
	box.task.run(() => {
		mount("a b", place, "tmpfs", { flags: ["nosuid", "noexec"], data: "size=1m,mode=700" });
		mount(gone, gone, null, { flags: ["bind"] });
	});
	for (const task of [Task.near, box.task]) {
		task.run(() => {
			const lines = new Map(mountinfo().map((line) => [line.id, line]));
			const found = listmount().map((id) => statmount(id));
			expect(found.map(({ reusedId }) => reusedId).sort()).toEqual([...lines.keys()].sort());
			for (const stat of found) {
				const line = lines.get(stat.reusedId ?? 0) as MountInfo;
				expect(stat.reusedParentId).toBe(line.parentId);
				expect(stat.dev).toEqual(line.dev);
				expect(stat.root).toBe(line.root);
				expect(stat.mountPoint).toBe(line.mountPoint);
				expect(stat.source ?? "").toBe(line.source);
				expect([stat.fsType, stat.fsSubtype].filter(Boolean).join(".")).toBe(line.fsType);
				expect(line.superOptions).toEqual([expect.stringMatching(/^r[ow]$/), ...(stat.options ?? ["?"])]);
				expect(stat.attributes?.includes("rdonly")).toBe(line.options.includes("ro"));
				expect(stat.attributes?.includes("nosuid")).toBe(line.options.includes("nosuid"));
				expect(stat.peerGroup).toBe(line.peerGroup === undefined ? undefined : BigInt(line.peerGroup));
				expect(stat.master).toBe(line.master === undefined ? undefined : BigInt(line.master));
				expect(stat.propagation?.includes("unbindable")).toBe(line.unbindable);
				expect(stat.atime === "relatime").toBe(line.options.includes("relatime"));
			}
		});
	}
});

test("attributes, access times, propagation and the superblock", async () => {
	await using box = await sandbox();
	const [place, slave] = [box.folder("place"), box.folder("slave")];
	box.task.run(() => {
		mount("tmp", place, "tmpfs", { flags: ["rdonly", "nosuid", "nodev", "noexec", "nosymfollow", "nodiratime"] });
		expect(statmount(place)).toMatchObject({
			attributes: ["rdonly", "nosuid", "nodev", "noexec", "nodiratime", "nosymfollow"],
			atime: "relatime",
			superblock: ["rdonly"],
			propagation: ["private"],
			fsMagic: 0x0102_1994n,
		});
		expect(statmount(place)).not.toHaveProperty("peerGroup");
		expect(statmount(place)).not.toHaveProperty("master");
		expect(statmount(place)).not.toHaveProperty("propagateFrom");
		for (const atime of ["noatime", "strictatime", "relatime"] as const) {
			mountSetattr(place, { clear: ["nosuid"], atime });
			const found = statmount(place);
			expect(found).toMatchObject({ atime });
			expect(found.attributes).toEqual(["rdonly", "nodev", "noexec", "nodiratime", "nosymfollow"]);
		}
		mount(null, place, null, { flags: ["shared"] });
		mount(place, slave, null, { flags: ["bind"] });
		mount(null, slave, null, { flags: ["slave"] });
		const group = statmount(place).peerGroup;
		expect(group).toBeGreaterThan(0n);
		expect(statmount(place).propagation).toEqual(["shared"]);
		expect(statmount(slave)).toMatchObject({ propagation: ["slave"], master: group });
		mount(null, slave, null, { flags: ["shared"] });
		expect(statmount(slave).propagation?.sort()).toEqual(["shared", "slave"]);
	});
});

test("only what was asked for and filled is there", () => {
	expect(Object.keys(statmount("/", { mask: ["fsType"] }))).toEqual(["mask", "fsType"]);
	expect(statmount("/", { mask: ["fsType"] })).toMatchObject({ mask: 0x20 });
	expect(statmount("/", { mask: 0x20 })).toEqual(statmount("/", { mask: ["fsType"] }));
	expect(Object.keys(statmount("/", { mask: ["sbBasic"] }))).toEqual(["mask", "dev", "fsMagic", "superblock"]);
	for (const value of Object.values(statmount("/"))) expect([0, 0n, "", undefined]).not.toContain(value);
});

needs("Linux 6.11").describe("options", () => {
	const both = ["mntOpts", "optArray"] as const;

	needs("Linux 6.13").test("come from the array or from the string, and are the same", async () => {
		await using box = await sandbox();
		box.task.run(() => {
			mount("tmp", box.folder("place"), "tmpfs", { data: "size=1m,mode=700" });
			const place = box.inside("place");
			const { options = [], mask } = statmount(place);
			expect(options).toEqual(expect.arrayContaining(["size=1024k", "mode=700"]));
			expect(mask & 0x80).toBe(0);
			for (const mask of [["mntOpts"], ["optArray"], both] as const) {
				expect(statmount(place, { mask }).options).toEqual(options);
			}
			expect(statmount(place, { mask: ["fsType"] })).not.toHaveProperty("options");
		});
	});

	needs("Linux 6.13", "the file system overlay").test("are decoded once: commas, blanks and backslashes", async () => {
		await using box = await sandbox();
		const lowers = [box.folder("a b,c"), box.folder("d\\040e")];
		const data = `lowerdir=${lowers.map((path) => path.replaceAll("\\", "\\\\").replaceAll(",", "\\,")).join(":")}`;
		const place = box.folder("merged");
		box.task.run(() => {
			mount("overlay", place, "overlay", { data });
			for (const mask of [["mntOpts"], ["optArray"], both] as const) {
				expect(statmount(place, { mask }).options).toContain(data);
			}
		});
	});

	needs("Linux 6.15").test("are empty where the kernel knows the field and the mount has none", async () => {
		await using box = await sandbox({ namespaces: ["user", "mnt", "ipc"], idMap: "root" });
		const place = box.folder("queues");
		box.task.run(() => {
			mount("mqueue", place, "mqueue");
			for (const mask of [["mntOpts"], ["optArray"], both] as const) {
				expect(statmount(place, { mask })).toStrictEqual({ mask: 0, options: [] });
			}
			expect(statmount(place, { mask: ["optSecArray"] }).options).toBeUndefined();
			expect(statmount(place)).toMatchObject({ options: [], fsType: "mqueue" });
		});
	});
});

needs("Linux 6.15").test("the supported mask is there when it was asked for, and in no other mask", () => {
	const { supportedMask = 0, mask } = statmount("/");
	expect(supportedMask & mask).toBe(mask);
	expect(mask & 0x1000).toBe(0x1000);
	expect(statmount("/", { mask: ["supportedMask"] })).toStrictEqual({ mask: 0x1000, supportedMask });
	expect(statmount("/", { mask: ["optArray"] })).not.toHaveProperty("supportedMask");
	expect(statmount("/", { mask: ["optArray"] }).mask & 0x1000).toBe(0);
});

test("lisy 7: strings that do not fit into the first buffer arrive whole", async () => {
	await using box = await sandbox();
	for (const length of [3000, 3580, 3584, 3585, 4000, 4095]) {
		const place = box.folder(`${"d".repeat(200)}${length}`);
		const source = "s".repeat(length);
		box.task.run(() => {
			mount(source, place, "tmpfs");
			const found = statmount(place);
			expect(found).toMatchObject({ mountPoint: place, fsType: "tmpfs", root: "/" });
			if (has("Linux 6.13")) expect(found.source).toBe(source);
		});
	}
	const { id = 0n } = box.task.run(() => statmount(box.inside()));
	const small = (length: number) =>
		box.task.run(() => refusal(() => native().statmount(id, undefined, 0x20, undefined, 0, Buffer.alloc(length))));
	expect(small(513)).toMatchObject({ code: "EOVERFLOW", syscall });
	expect(small(600)).toEqual({});
});

test("root, mount point and source come as bytes", async () => {
	await using box = await sandbox();
	const name = Buffer.concat([Buffer.from(box.inside("n-")), Buffer.of(0xff, 0x20)]);
	mkdirSync(Buffer.concat([Buffer.from(`/proc/${box.task.pid}/root`), name]));
	box.task.run(() => {
		mount(name, name, null, { flags: ["bind"] });
		const found = statmount(name, { encoding: "buffer" });
		expect(found).toMatchObject({ root: Buffer.from("/n-\xff ", "latin1"), mountPoint: name, fsType: "tmpfs" });
		if (has("Linux 6.13")) expect(found.source).toEqual(Buffer.from("scratch"));
		expect(statmount(name)).toMatchObject({ root: "/n-\ufffd ", mountPoint: box.inside("n-\ufffd ") });
	});
});

test("a root that was removed ends with //deleted", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("gone"), box.folder("place")];
	box.task.run(() => mount(source, place, null, { flags: ["bind"] }));
	rmdirSync(box.outside("gone"));
	expect(box.task.run(() => statmount(place)).root).toBe("/gone//deleted");
});

test("a mount that cannot be reached has no mount point, and without privilege no status", async () => {
	await using box = await sandbox();
	const [place, root] = [box.folder("place"), box.folder("root")];
	const ids = box.task.run(() => {
		mount("hidden", place, "tmpfs");
		mount(root, root, null, { flags: ["bind"] });
		return [statmount(place).id ?? 0n, statmount(root).id ?? 0n] as const;
	});
	await using stranger = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	box.task.run(() => {
		chroot(root);
		expect(statmount(ids[0])).not.toHaveProperty("mountPoint");
		expect(statmount(ids[0])).toMatchObject({ fsType: "tmpfs", root: "/" });
		expect(statmount(ids[1])).toMatchObject({ mountPoint: "/" });
	});
	stranger.run(() => {
		expect(statmount(ids[0])).toMatchObject({ mountPoint: place });
		chroot(root);
		expect(refusal(() => statmount(ids[0]))).toMatchObject({ code: "EPERM", syscall });
	});
});

test("STM-03 what the kernel refuses", async () => {
	await using box = await sandbox();
	for (const task of [Task.near, box.task]) {
		task.run(() => {
			const refused = (
				at: Parameters<typeof statmount>[0],
				options?: { flags?: ["byFd"]; namespace?: bigint | FileDescriptor },
			) => refusal(() => statmount(at, options));
			expect(refused(2n ** 60n)).toMatchObject({ code: "ENOENT", syscall });
			expect(refused(BigInt(statx("/").mountId ?? 0))).toMatchObject({ code: "EINVAL", syscall });
			expect(refused(0n)).toMatchObject({ code: "EINVAL", syscall });
			expect(refused("/no/such")).toMatchObject({ code: "ENOENT", syscall: "statx", path: "/no/such" });
			neverOpen((fd) => {
				expect(refused(fd)).toMatchObject({ code: "EBADF", syscall: "statx" });
				expect(refused("/", { namespace: fd })).toMatchObject({ code: "EBADF", syscall: "ioctl" });
			});
			using root = openat2("/", { flags: ["path"] });
			if (!has("Linux 7.0")) expect(refused(root, { flags: ["byFd"] })).toMatchObject({ code: "EINVAL", syscall });
			using device = openat2("/dev/null");
			expect(refused("/", { namespace: device })).toMatchObject({ code: "ENOTTY", syscall: "ioctl" });
			if (has("Linux 6.11")) {
				expect(refused("/", { namespace: 2n ** 60n })).toMatchObject({ code: "ENOENT", syscall });
			}
		});
	}
	using uts = namespaceOf(box.task, "uts");
	expect(refusal(() => statmount("/", { namespace: uts }))).toMatchObject({ code: "EINVAL", syscall: "ioctl" });
});

test("a detached mount is none of the namespace", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		expect(refusal(() => statmount(tree))).toMatchObject({ code: "ENOENT", syscall });
	});
});

needs("Linux 7.0").test("with byFd a detached mount has a status, without a place", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		const found = statmount(tree, { flags: ["byFd"] });
		expect(found).toMatchObject({ fsType: "tmpfs", source: "scratch", id: statx(tree).mountIdUnique });
		expect(refusal(() => statmount(tree, { flags: ["byFd"], namespace: 2n ** 60n })).code).toBe("EINVAL");
	});
});

needs("Linux 6.11").describe("STM-08 another mount namespace", () => {
	test("is named by its id or by a descriptor", async () => {
		await using box = await sandbox();
		const inside = box.task.run(() => statmount(box.inside()));
		const { id = 0n, namespaceId = 0n } = inside;
		expect(namespaceId).not.toBe(statmount("/").namespaceId);
		expect(refusal(() => statmount(id))).toMatchObject({ code: "ENOENT", syscall });
		using namespace = namespaceOf(box.task);
		for (const which of [namespaceId, namespace]) {
			expect(statmount(id, { namespace: which })).toEqual(inside);
		}
	});

	test("needs the privilege of its owner", async () => {
		await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		const { id = 0n, namespaceId = 0n } = statmount("/");
		task.run(() => {
			const codes = ["EPERM", "ENOENT"]; // the second one before Linux 7.0, and kernels that had the change ported back
			expect(codes).toContain(refusal(() => statmount(id, { namespace: namespaceId })).code);
			expect(codes).toContain(refusal(() => listmount({ namespace: namespaceId })).code);
		});
	});
});

needs("Linux 6.15").test("STM-11 a map without an id of the task's user namespace is empty", async () => {
	await using box = await sandbox();
	await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	await using stranger = await box.task.clone({ namespaces: ["user"], idMap: "none" });
	using near = openat2(`/proc/${mapped.pid}/ns/user`);
	using map = box.task.put(near);
	const place = box.folder("place");
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		mountSetattr(tree, { userns: map });
		moveMount(tree, place);
		expect(statmount(place)).toMatchObject({ uidMap: [{ inside: 0, outside: 0, count: 1 }], attributes: ["idmap"] });
	});
	expect(stranger.run(() => statmount(place))).toMatchObject({ uidMap: [], gidMap: [] });
});

needs("root", "Linux 6.15").test("STM-11 the maps of an id-mapped mount, and none of another", async () => {
	await using box = await sandbox();
	const uids = [
		{ inside: 0, outside: 10_000, count: 10_000 },
		{ inside: 20_000, outside: 30_000, count: 1 },
	];
	const gids = [{ inside: 5, outside: 50_000, count: 2 }];
	await using mapped = await Task.clone({ namespaces: ["user"], idMap: { uids, gids } });
	await using child = await box.task.clone({ namespaces: ["user"], idMap: { uids: [uids[1]], gids } as never });
	using near = openat2(`/proc/${mapped.pid}/ns/user`);
	using map = box.task.put(near);
	const place = box.folder("place");
	box.task.run(() => {
		mount("tmp", place, "tmpfs");
		const plain = statmount(place);
		expect(plain).not.toHaveProperty("uidMap");
		expect(plain).not.toHaveProperty("gidMap");
		expect(plain.attributes).toEqual([]);
		using tree = openTree(place, { flags: ["clone"] });
		mountSetattr(tree, { userns: map });
		moveMount(tree, place);
	});
	const found = box.task.run(() => statmount(place));
	expect(found).toMatchObject({ uidMap: uids, gidMap: gids, attributes: ["idmap"] });
	expect(child.run(() => statmount(place))).toMatchObject({ gidMap: [{ inside: 5, outside: 5, count: 2 }] });
});

describe("a kernel without the calls", () => {
	test.each([
		["ENOSYS", ENOSYS],
		["EPERM", EPERM],
	])("answers %s, and nothing else is tried", async (code, errno) => {
		await using task = await Task.clone();
		forbid(task, SYS_statmount, errno);
		forbid(task, SYS_listmount, errno);
		task.run(() => {
			expect(refusal(() => statmount("/"))).toMatchObject({ code, syscall });
			expect(refusal(() => statmount(2n ** 60n))).toMatchObject({ code, syscall });
			const hint = expect.any(String);
			expect(refusal(() => listmount())).toMatchObject({ code, syscall: "listmount", hint });
			expect(refusal(() => listmount({ of: "/" }))).toMatchObject({ code, syscall: "listmount" });
		});
	});
});

test("a batch cannot wait for it", async () => {
	await using box = await sandbox();
	const calls: (() => unknown)[] = [
		() => statmount("/"),
		() => statmount(2n ** 60n),
		() => listmount(),
		() => listmount({ of: "/" }),
	];
	for (const call of calls) {
		expect(await reason(() => box.task.batch(call))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	}
});

test("wrong arguments are refused", () => {
	const refused = (...args: unknown[]) => refusal(() => statmount(...(args as [bigint]))).code;
	expect(refused(30)).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused(undefined)).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused(-1n)).toBe("ERR_OUT_OF_RANGE");
	expect(refused(2n ** 64n)).toBe("ERR_OUT_OF_RANGE");
	expect(refused("/\0")).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused("/", { mask: ["fstype"] })).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused("/", { mask: -1 })).toBe("ERR_OUT_OF_RANGE");
	expect(refused("/", { flags: ["by_fd"] })).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused("/", { flags: ["byFd"] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused(1n, { flags: ["byFd"] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused("/", { namespace: 1 })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused("/", { namespace: -1n })).toBe("ERR_OUT_OF_RANGE");
	expect(refused("/", { encoding: "hex" })).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused("/", { fields: [] })).toBe("ERR_INVALID_ARG_VALUE");
	const closed = openat2("/", { flags: ["path"] });
	closed.close();
	expect(refused(closed)).toBe("ERR_NEARFAR_CLOSED");
	expect(refused("/", { namespace: closed })).toBe("ERR_NEARFAR_CLOSED");
});
