import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { FileDescriptor, openat2, type Task } from "@nearfar/core";
import { Mount, mount, mountSetattr, moveMount, openTree } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { mountAt, mountsOf, type Sandbox, sandbox } from "./sandbox.ts";

const syscall = "open_tree_attr";
const since = needs("Linux 6.15");
const clone = { flags: ["clone"] } as const;

/** Opens a namespace as a descriptor of another task. */
function namespace(of: string, task: Task): FileDescriptor {
	using near = openat2(of);
	return task.put(near);
}

/** Makes a tmpfs in a sandbox with a file, and another tmpfs below. */
function nested(box: Sandbox): string {
	const source = box.folder("source");
	box.task.run(() => mount("outer", source, "tmpfs", { flags: ["nosuid"] }));
	mkdirSync(box.outside("source/below"));
	writeFileSync(box.outside("source/file"), "content");
	box.task.run(() => mount("inner", `${source}/below`, "tmpfs"));
	return source;
}

since.test("a copy has its attributes from its first moment, and the source stays as it is", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	const before = mountsOf(box.task);
	box.task.run(() => {
		using tree = openTree(source, {
			...clone,
			set: ["rdonly"],
			clear: ["nosuid"],
			atime: "noatime",
			propagation: "shared",
		});
		expect(tree).toBeInstanceOf(Mount);
		expect(mountsOf(box.task)).toEqual(before);
		moveMount(tree, place);
	});
	expect(mountAt(box.task, place)).toMatchObject({ options: ["ro", "noatime"], propagation: ["shared"] });
	expect(mountAt(box.task, source)).toEqual(before.find(({ at }) => at === source));
});

since.test("with recursive the attributes hold for the whole copy", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	box.task.run(() => {
		using tree = openTree(source, { flags: ["clone", "recursive"], set: ["rdonly", "noexec"] });
		moveMount(tree, place);
	});
	for (const at of [place, `${place}/below`]) {
		expect(mountAt(box.task, at)?.options).toEqual(expect.arrayContaining(["ro", "noexec"]));
	}
	expect(mountAt(box.task, `${source}/below`)?.options).toContain("rw");
});

test("attributes without clone are a TypeError, because the kernel would change the mount itself", async () => {
	await using box = await sandbox();
	const before = mountsOf(box.task);
	box.task.run(() => {
		using userns = openat2("/proc/self/ns/user");
		const attributes = [
			{ set: ["rdonly"] },
			{ set: [] },
			{ clear: ["nosuid"] },
			{ atime: "noatime" },
			{ propagation: "shared" },
			{ userns },
		] as const;
		for (const each of attributes) {
			for (const flags of [undefined, [], ["cloexec"], 0x8000] as const) {
				const options = flags === undefined ? each : { ...each, flags };
				expect(refusal(() => openTree(box.inside(), options as never)).code).toBe("ERR_INVALID_ARG_VALUE");
			}
		}
		openTree(box.inside(), { set: undefined } as never).close();
	});
	expect(mountsOf(box.task)).toEqual(before);
});

test("wrong attributes are refused before any call", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		const refused = (options: object) => refusal(() => openTree(box.inside(), { ...clone, ...options })).code;
		expect(refused({ set: ["no-such"] })).toBe("ERR_INVALID_ARG_VALUE");
		expect(refused({ set: ["idmap"] })).toBe("ERR_INVALID_ARG_VALUE");
		expect(refused({ set: 0x10_0000 })).toBe("ERR_INVALID_ARG_VALUE");
		expect(refused({ userns: 3 })).toBe("ERR_INVALID_ARG_TYPE");
		expect(refused({ atime: "never" })).toBe("ERR_INVALID_ARG_VALUE");
		expect(refused({ recursive: true })).toBe("ERR_INVALID_ARG_VALUE");
	});
});

since.test("what openTree with attributes refuses", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		const refused = (options: object) => refusal(() => openTree(box.inside(), { ...clone, ...options }));
		expect(refused({ set: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall, path: box.inside() });
		expect(refused({ propagation: 0x8_0000 | 0x10_0000 })).toMatchObject({ code: "EINVAL", syscall });
		const missing = box.inside("missing");
		expect(refusal(() => openTree(missing, { ...clone, set: [] }))).toMatchObject({
			code: "ENOENT",
			syscall,
			path: missing,
		});
		neverOpen((fd) =>
			expect(refusal(() => openTree(fd, { ...clone, set: [] }))).toMatchObject({ code: "EBADF", syscall }),
		);
	});
});

since.test("IDM-01 what is no user namespace, or not open", async () => {
	await using box = await sandbox();
	const uts = namespace("/proc/self/ns/uts", box.task);
	box.task.run(() => {
		const refused = (userns: FileDescriptor) => refusal(() => openTree(box.inside(), { ...clone, userns }));
		neverOpen((fd) => expect(refused(fd)).toMatchObject({ code: "EBADF", syscall }));
		using device = openat2("/dev/null");
		expect(refused(device)).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(uts)).toMatchObject({ code: "EINVAL", syscall });
		uts.close();
	});
});

since.test("IDM-02 IDM-08 not the initial user namespace, and none without maps", async () => {
	await using box = await sandbox();
	await using unmapped = await box.task.clone({ namespaces: ["user"], idMap: "none" });
	const initial = namespace("/proc/self/ns/user", box.task);
	const empty = namespace(`/proc/${unmapped.pid}/ns/user`, box.task);
	box.task.run(() => {
		const refused = (userns: FileDescriptor) => refusal(() => openTree(box.inside(), { ...clone, userns }));
		expect(refused(initial)).toMatchObject({ code: "EPERM", syscall });
		expect(refused(empty)).toMatchObject({ code: "EINVAL", syscall, hint: expect.stringContaining("maps") });
		initial.close();
		empty.close();
	});
});

since.test("IDM-03 systemd PR 38069 a copy of an id-mapped mount gets another map, or none", async () => {
	await using box = await sandbox();
	const source = nested(box);
	const range = (outside: number) => [{ inside: 0, outside, count: 1 }];
	const root = process.getuid?.() === 0;
	await using first = await box.task.clone({
		namespaces: ["user"],
		idMap: root ? { uids: range(10_000), gids: range(10_000) } : "root",
	});
	await using second = await box.task.clone({
		namespaces: ["user"],
		idMap: root ? { uids: range(20_000), gids: range(20_000) } : "root",
	});
	const maps = [first, second].map((task) => namespace(`/proc/${task.pid}/ns/user`, box.task));
	const places = ["mapped", "mapped-again", "plain"].map((name) => box.folder(name));
	const original = statSync(box.outside("source/file")).uid;
	box.task.run(() => {
		using mapped = openTree(source, { ...clone, userns: maps[0] as FileDescriptor });
		// mount_setattr(2) can do neither.
		expect(refusal(() => mountSetattr(mapped, { userns: maps[1] as FileDescriptor })).code).toBe("EPERM");
		expect(refusal(() => mountSetattr(mapped, { clear: ["idmap"] })).code).toBe("EINVAL");
		moveMount(mapped, places[0] as string);
		using again = openTree(places[0] as string, { ...clone, userns: maps[1] as FileDescriptor });
		moveMount(again, places[1] as string);
		using plain = openTree(places[0] as string, { ...clone, clear: ["idmap"] });
		moveMount(plain, places[2] as string);
		for (const map of maps) map.close();
	});
	const owner = (name: string) => statSync(box.outside(`${name}/file`)).uid;
	expect(owner("plain")).toBe(original);
	if (root) expect([owner("mapped"), owner("mapped-again")]).toEqual([10_000, 20_000]);
});

for (const [fstype, code] of [
	["tmpfs", undefined],
	["ramfs", "EINVAL"],
	["devpts", "EINVAL"],
] as const) {
	since.test(`IDM-05 runc PR 3949 an id map of ${fstype} is ${code ?? "possible"}`, async () => {
		await using box = await sandbox();
		await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
		const userns = namespace(`/proc/${mapped.pid}/ns/user`, box.task);
		const place = box.folder("place");
		box.task.run(() => {
			mount("label", place, fstype);
			const error = refusal(() => openTree(place, { ...clone, userns }).close());
			expect(error).toMatchObject(code ? { code, syscall, hint: expect.stringContaining("file system") } : {});
			using tree = openTree(place, clone);
			const later = refusal(() => mountSetattr(tree, { userns }));
			expect(later).toMatchObject(code ? { code, hint: expect.stringContaining("file system") } : {});
			userns.close();
		});
	});
}

since.test("a batch opens a copy with attributes and attaches it", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	await box.task.batch(() => {
		using userns = openat2(`/proc/${mapped.pid}/ns/user`);
		using tree = openTree(source, { ...clone, set: ["rdonly"], userns });
		moveMount(tree, place);
	});
	expect(mountAt(box.task, place)?.options).toEqual(expect.arrayContaining(["ro", "idmapped"]));
});

since.test(
	"what a more privileged namespace has locked is not cleared, and a locked mount below asks for recursive",
	async () => {
		await using box = await sandbox();
		const source = nested(box);
		await using task = await box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		task.run(() => {
			const refused = refusal(() => openTree(source, { flags: ["clone", "recursive"], clear: ["nosuid"] }));
			expect(refused).toMatchObject({ code: "EPERM", syscall });
			const flat = refusal(() => openTree(source, clone));
			expect(flat).toMatchObject({ code: "EINVAL", syscall: "open_tree", hint: expect.stringContaining("recursive") });
			const both = refusal(() => openTree(source, { ...clone, set: ["rdonly"] }));
			expect(both).toMatchObject({ code: "EINVAL", syscall, hint: expect.stringContaining("recursive") });
			openTree(source, { flags: ["clone", "recursive"], set: ["rdonly"] }).close();
		});
	},
);

needs("Linux 7.0").test("NMA-32 with namespace the result is a descriptor of a mount namespace", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		using made = openTree("/", { flags: ["namespace", "recursive"] });
		expect(made).toBeInstanceOf(FileDescriptor);
		expect(made).not.toBeInstanceOf(Mount);
	});
});

test("before Linux 7.0 the flag namespace is EINVAL, and takes attributes without clone", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		for (const options of [{}, { set: ["rdonly"] as const }]) {
			const refused = refusal(() => openTree("/", { flags: ["namespace"], ...options }).close());
			expect(refused.code ?? "EINVAL").toMatch(/^(EINVAL|ENOSYS)$/);
		}
	});
});
