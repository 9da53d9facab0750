import { chmodSync, statSync } from "node:fs";
import { type FileDescriptor, openat2 } from "@nearfar/core";
import { bind, mountSetattr, moveMount, openTree } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { arm64, mappedOwners, namespaceFor, sandbox } from "./sandbox.ts";

const SYS_setresgid = arm64 ? 149 : 119;
const SYS_setresuid = arm64 ? 147 : 117;
const syscall = "mount_setattr";

const idMapped = needs("a temporary folder that can be id-mapped");

test("IDM-01 what is no user namespace, or not open", async () => {
	await using box = await sandbox();
	const uts = namespaceFor(box.task, "/proc/self/ns/uts");
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		const refused = (fd: FileDescriptor) => refusal(() => mountSetattr(tree, { userns: fd }));
		neverOpen((fd) => expect(refused(fd)).toMatchObject({ code: "EBADF", syscall }));
		using device = openat2("/dev/null");
		expect(refused(device)).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(uts)).toMatchObject({ code: "EINVAL", syscall });
		uts.close();
	});
});

idMapped.test("IDM-02 not the initial user namespace, not an attached mount, not twice, never back", async () => {
	await using box = await sandbox();
	await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	const initial = namespaceFor(box.task, "/proc/self/ns/user");
	const map = namespaceFor(box.task, `/proc/${mapped.pid}/ns/user`);
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		const refused = (...args: Parameters<typeof mountSetattr>) => refusal(() => mountSetattr(...args));
		expect(refused(tree, { userns: initial })).toMatchObject({ code: "EPERM", syscall });
		expect(refused(box.inside(), { userns: map })).toMatchObject({ code: "EINVAL", syscall });
		mountSetattr(tree, { userns: map });
		expect(refused(tree, { userns: map })).toMatchObject({ code: "EPERM", syscall });
		expect(refused(tree, { clear: ["idmap"] })).toMatchObject({ code: "EINVAL", syscall });
		initial.close();
		map.close();
	});
});

test("in a user namespace, not its own map for its file system, and no map for a file system of the host", async () => {
	await using box = await sandbox({ namespaces: ["user", "mnt"], idMap: "root" });
	await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	const own = namespaceFor(box.task, `/proc/${box.task.pid}/ns/user`);
	const map = namespaceFor(box.task, `/proc/${mapped.pid}/ns/user`);
	box.task.run(() => {
		const refused = (at: string, userns: FileDescriptor) => refusal(() => bind(at, null, { userns }));
		expect(refused(box.inside(), own)).toMatchObject({ code: "EINVAL", syscall });
		expect(refused("/usr", map)).toMatchObject({ code: "EPERM", syscall });
		own.close();
		map.close();
	});
});

needs("root", "a temporary folder that can be id-mapped").test("IDM-04 owners through an id-mapped mount", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	chmodSync(box.outside(), 0o755);
	const map = await mappedOwners(box, "source");
	box.task.run(() => {
		using tree = openTree(source, { flags: ["clone"] });
		mountSetattr(tree, { set: ["nosuid"], userns: map });
		moveMount(tree, place);
		map.close();
	});
	expect(statSync(box.outside("place/of-0"))).toMatchObject({ uid: 10_000, gid: 10_000 });
	expect(statSync(box.outside("place/of-5"))).toMatchObject({ uid: 65_534, gid: 65_534 });
	const create = async (id: number) => {
		await using task = await box.task.clone();
		task.syscall(SYS_setresgid, id, id, id);
		task.syscall(SYS_setresuid, id, id, id);
		const how = { flags: ["creat", "wronly"], mode: 0o600 } as const;
		return task.run(() => refusal(() => openat2(`${place}/by-${id}`, how).close()));
	};
	expect(await create(10_000)).toEqual({});
	expect(statSync(box.outside("source/by-10000"))).toMatchObject({ uid: 0, gid: 0 });
	expect(await create(20_000)).toMatchObject({ code: "EOVERFLOW" });
});

idMapped.test("a batch opens a user namespace, maps a copy by it and attaches that", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.file("source/file");
	const { uid } = statSync(box.outside("source/file"));
	await using mapped = await box.task.clone({ namespaces: ["user"], idMap: "root" });
	await box.task.batch(() => {
		using map = openat2(`/proc/${mapped.pid}/ns/user`);
		using tree = openTree(source, { flags: ["clone"] });
		mountSetattr(tree, { userns: map });
		moveMount(tree, place);
	});
	expect(statSync(box.outside("place/file")).uid).toBe(uid);
});

test("IDM-08 a user namespace without maps", async () => {
	await using box = await sandbox();
	await using unmapped = await box.task.clone({ namespaces: ["user"], idMap: "none" });
	const map = namespaceFor(box.task, `/proc/${unmapped.pid}/ns/user`);
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		expect(refusal(() => mountSetattr(tree, { userns: map }))).toMatchObject({ code: "EINVAL", syscall });
		map.close();
	});
});
