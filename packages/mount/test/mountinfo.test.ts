import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, Process, Task } from "@nearfar/core";
import { mount, mountinfo, parseMountinfo } from "@nearfar/mount";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { arm64, sandbox } from "./sandbox.ts";

const { test } = needs("/proc");
const SYS_openat2 = 437;
const SYS_setgid = arm64 ? 144 : 106;
const ENOENT = 2;

test("near, in a task and from outside the mounts are those of the file", async () => {
	const own = readFileSync("/proc/self/mountinfo");
	expect(mountinfo()).toEqual(parseMountinfo(own));
	expect(mountinfo(process.pid)).toEqual(parseMountinfo(own));
	expect(mountinfo(Task.near.process, { encoding: "buffer" })).toEqual(parseMountinfo(own, { encoding: "buffer" }));

	await using box = await sandbox();
	const inside = box.task.run(() => mountinfo());
	expect(inside).toEqual(parseMountinfo(readFileSync(`/proc/${box.task.pid}/mountinfo`)));
	expect(mountinfo(box.task.process)).toEqual(inside);
	expect(mountinfo(box.task.pid)).toEqual(inside);
	expect(mountinfo(new Process(box.task.pid))).toEqual(inside);
	expect(inside.find(({ mountPoint }) => mountPoint === box.inside())).toMatchObject({
		fsType: "tmpfs",
		source: "scratch",
		root: "/",
		deleted: false,
		unbindable: false,
		optional: [],
	});
});

test("netdata PR 716, moby PR 38977, STM-04: mount points with any name, also after (deleted)", async () => {
	await using box = await sandbox();
	const names = ["a b", "a\tb", "a\nb", "a\\b", "a\\040b", "#x", "- x", "x (deleted)", "é€", "a,b:c"];
	for (const name of names) {
		const place = box.folder(name);
		box.task.run(() => mount(`of ${name}`, place, "tmpfs", { flags: ["nosuid"] }));
	}
	const found = box.task.run(() => mountinfo()).filter(({ source }) => source.startsWith("of "));
	expect(found.map(({ mountPoint }) => mountPoint)).toEqual(names.map((name) => box.inside(name)));
	expect(found.map(({ source }) => source)).toEqual(names.map((name) => `of ${name}`));
	expect(found.every(({ deleted, options }) => !deleted && options.includes("nosuid"))).toBe(true);
});

test("names that are no UTF-8 come as bytes", async () => {
	await using box = await sandbox();
	const name = Buffer.concat([Buffer.from(box.inside("n-")), Buffer.of(0xff, 0x20, 0xc3)]);
	const source = Buffer.of(0xfe, 0x09);
	mkdirSync(Buffer.concat([Buffer.from(`/proc/${box.task.pid}/root`), name]));
	box.task.run(() => mount(source, name, "tmpfs"));
	const bytes = box.task.run(() => mountinfo(undefined, { encoding: "buffer" })).at(-1);
	expect(bytes).toMatchObject({ mountPoint: name, source, root: Buffer.from("/"), fsType: "tmpfs" });
	expect(box.task.run(() => mountinfo()).at(-1)).toMatchObject({ source: "\ufffd\t" });
});

test("duf PR 154: a source may be -, empty, or none at all", async () => {
	await using box = await sandbox();
	const places = ["-", "", null].map((source, index) => {
		const place = box.folder(`${index}`);
		box.task.run(() => mount(source === "" ? "" : source, place, "tmpfs"));
		return place;
	});
	const found = box.task.run(() => mountinfo()).filter(({ mountPoint }) => places.includes(mountPoint));
	expect(found.map(({ source, fsType }) => [source, fsType])).toEqual([
		["-", "tmpfs"],
		["", "tmpfs"],
		["none", "tmpfs"],
	]);
});

test("a root that was removed is deleted", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("gone for good"), box.folder("place")];
	box.task.run(() => mount(source, place, null, { flags: ["bind"] }));
	const find = () => box.task.run(() => mountinfo()).find(({ mountPoint }) => mountPoint === place);
	expect(find()).toMatchObject({ root: "/gone for good", deleted: false });
	rmdirSync(box.outside("gone for good"));
	expect(find()).toMatchObject({ root: "/gone for good", deleted: true });
});

test("the groups of propagation are numbers", async () => {
	await using box = await sandbox();
	const [group, slave, alone] = [box.folder("group"), box.folder("slave"), box.folder("alone")];
	box.task.run(() => {
		mount("group", group, "tmpfs");
		mount(null, group, null, { flags: ["shared"] });
		mount(group, slave, null, { flags: ["bind"] });
		mount(null, slave, null, { flags: ["slave"] });
		mount("alone", alone, "tmpfs");
		mount(null, alone, null, { flags: ["unbindable"] });
	});
	const all = box.task.run(() => mountinfo());
	const at = (place: string) => all.find(({ mountPoint }) => mountPoint === place);
	const peerGroup = at(group)?.peerGroup;
	expect(peerGroup).toBeGreaterThan(0);
	expect(at(group)?.optional).toEqual([`shared:${peerGroup}`]);
	expect(at(slave)).toMatchObject({ master: peerGroup, optional: [`master:${peerGroup}`], unbindable: false });
	expect(at(alone)).toMatchObject({ unbindable: true, optional: ["unbindable"] });
});

needs("/proc", "the file system overlay").test("commas, colons and blanks in options of overlay", async () => {
	await using box = await sandbox();
	const [lower, other, place] = [box.folder("a b,c"), box.folder("d\\e"), box.folder("merged")];
	const lowers = [lower, other].map((path) => path.replaceAll("\\", "\\\\").replaceAll(",", "\\,")).join(":");
	box.task.run(() => mount("overlay", place, "overlay", { data: `lowerdir=${lowers}` }));
	const found = box.task.run(() => mountinfo()).find(({ mountPoint }) => mountPoint === place);
	expect(found?.superOptions).toContain(`lowerdir=${lowers}`); // the backslashes are those of the mount
});

test("a thousand mounts are read whole", async () => {
	await using box = await sandbox();
	const places = Array.from({ length: 1000 }, (_, index) => box.folder(`${"n".repeat(200)}${index}`));
	await box.task.batch(() => {
		for (const place of places) mount(box.inside(), place, null, { flags: ["bind"] });
	});
	const found = box.task.run(() => mountinfo()).map(({ mountPoint }) => mountPoint);
	expect(found.slice(-1000)).toEqual(places);
});

test("another process is named by a pid that the task sees", async () => {
	await using box = await sandbox({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
	await using child = await box.task.clone();
	const pid = box.task.run(() => {
		mount("proc", "/proc", "proc");
		return mountinfo(1).length;
	});
	expect(pid).toBe(box.task.run(() => mountinfo()).length);
	expect(refusal(() => box.task.run(() => mountinfo(child.process))).code).toBe("ERR_NEARFAR_NAMESPACE_MISMATCH");
	expect(box.task.run(() => mountinfo(2)).length).toBe(pid);
});

test("what has ended has no mounts", async () => {
	const task = await Task.clone();
	const { process } = task;
	await task.exit();
	expect(refusal(() => mountinfo(process)).code).toBe("ERR_NEARFAR_CHILD_DEAD");
	expect(refusal(() => mountinfo(2 ** 22 + 1))).toMatchObject({ code: "ESRCH", syscall: "pidfd_open" });
});

test("a named pipe, a link and a file in the place of mountinfo are not read", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		mount("hostile", "/proc", "tmpfs");
		mkdir("/proc/thread-self");
		mkdir("/proc/thread-self/fdinfo");
	});
	const inside = `/proc/${box.task.pid}/root/proc`;
	const places = [`${inside}/thread-self/mountinfo`, ...[3, 4, 5, 6].map((fd) => `${inside}/thread-self/fdinfo/${fd}`)];
	for (const make of [
		(place: string) => execFileSync("mkfifo", [place]),
		(place: string) => symlinkSync("/dev/zero", place),
		(place: string) => writeFileSync(place, "1 2 0:3 / / rw - tmpfs none rw\n"),
	]) {
		for (const place of places) make(place);
		box.task.run(() => {
			expect(refusal(() => mountinfo())).toMatchObject({ code: "ENOENT", path: "/proc/thread-self/mountinfo" });
			expect(refusal(() => mountinfo(1)).code).toBe("ENOENT");
		});
		for (const place of places) rmSync(place);
	}
});

test("without a /proc it is ENOENT", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		mount("nothing", "/proc", "tmpfs");
		expect(refusal(() => mountinfo())).toMatchObject({ code: "ENOENT", path: "/proc/thread-self/mountinfo" });
		expect(refusal(() => mountinfo(1))).toMatchObject({ code: "ENOENT" });
	});
	await using task = await Task.clone();
	forbid(task, SYS_openat2, ENOENT);
	expect(task.run(() => refusal(() => mountinfo()))).toMatchObject({ code: "ENOENT", syscall: "openat2" });
});

test("a batch cannot wait for it, and collects nothing", async () => {
	await using box = await sandbox();
	for (const call of [() => mountinfo(), () => mountinfo(process.pid)]) {
		expect(await reason(() => box.task.batch(call))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	}
	const collected = await box.task
		.batch(() => {
			expect(refusal(() => mountinfo()).code).toBe("ERR_NEARFAR_BATCH");
			box.task.syscall(SYS_setgid, 0xffff_ffffn);
		})
		.catch((error) => error);
	expect(collected).toMatchObject({ code: "EINVAL", step: 0 });
});

test("wrong arguments are refused", () => {
	const refused = (...args: unknown[]) => refusal(() => mountinfo(...(args as [])));
	expect(refused("1").code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused(null).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused(0).code).toBe("ERR_OUT_OF_RANGE");
	expect(refused(1.5).code).toBe("ERR_OUT_OF_RANGE");
	expect(refused(1, { encoding: "hex" }).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused(1, { pid: 1 }).code).toBe("ERR_INVALID_ARG_VALUE");
});
