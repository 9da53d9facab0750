import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { Location, openat2 } from "@nearfar/core";
import { bind, moveMount, populateSys, sysfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { ownUser, runScript, sharedHost } from "./program.ts";
import { arm64, mountAt, mountsOf, sandbox, traces } from "./sandbox.ts";

const unhidden = needs("a /proc and a /sys that nothing hides", "/proc");
const top = ["block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", "power"];
const withDevices = ["bus", "class", "dev", "devices"];

test("populateSys makes the usual directories in a read-only tmpfs, with modules and the cgroups of the source", async () => {
	await using box = await sandbox();
	const place = box.folder("sys");
	const before = traces(box.task);
	box.task.run(() => populateSys(place));
	expect(traces(box.task).descriptors).toBe(before.descriptors);
	expect(readdirSync(box.outside("sys")).sort()).toEqual(top);
	expect(readdirSync(box.outside("sys/fs"))).toEqual(["cgroup"]);
	for (const name of ["", "fs", "kernel"]) expect(statSync(box.outside(`sys/${name}`)).mode & 0o7777).toBe(0o755);
	for (const name of ["block", ...withDevices]) expect(readdirSync(box.outside(`sys/${name}`))).toEqual([]);
	expect(mountAt(box.task, place)).toMatchObject({
		type: "tmpfs",
		source: "sysfs",
		options: ["ro", "nosuid", "nodev", "noexec", "relatime"],
	});
	expect(mountAt(box.task, `${place}/module`)).toMatchObject({
		type: "sysfs",
		root: "/module",
		options: expect.arrayContaining(["ro"]),
	});
	const groups = mountsOf(box.task).filter(({ at }) => at.startsWith(`${place}/fs/cgroup`));
	expect(groups.length).toBeGreaterThan(0);
	for (const { options } of groups) expect(options).toContain("ro");
	expect(readdirSync(box.outside("sys/fs/cgroup"))).toEqual(readdirSync("/sys/fs/cgroup"));
});

unhidden.test(
	"systemd #1555, bst #34: a program sees the devices of its own network, and can configure them",
	async () => {
		await using box = await sandbox(ownUser());
		box.task.run(() => {
			// In a network that was made before the id map was written, the files of lo belong to user 0 of the machine.
			box.task.syscall(arm64 ? 97 : 272, 0x4000_0000); // unshare(CLONE_NEWNET)
			populateSys("/sys", { namespaces: ["net"] });
		});
		const script = [
			"ls /sys/class/net /sys/devices/virtual/net",
			"echo 1280 > /sys/class/net/lo/mtu && cat /sys/devices/virtual/net/lo/mtu",
			"mkdir /sys/new 2>&1",
			"(: > /sys/module/kernel/parameters/panic) 2>&1",
		].join("\n");
		const { text } = await runScript(box, script);
		expect(text.split("\n").slice(0, 6)).toEqual([
			"/sys/class/net:",
			"lo",
			"",
			"/sys/devices/virtual/net:",
			"lo",
			"1280",
		]);
		expect(text).toMatch(/new.*: Read-only file system\n/);
		expect(mountAt(box.task, "/sys/class/net")?.options).toEqual(
			expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]),
		);
		expect(mountAt(box.task, "/sys/devices/virtual/net")?.options).toContain("rw");
	},
);

unhidden.test(
	"linuxnamespaces research c 14: with devices and a new network, no place shows the former network",
	async () => {
		await using box = await sandbox(ownUser("net"));
		box.task.run(() => populateSys("/sys", { devices: true }));
		const { text } = await runScript(box, "ls /sys/class/net; find /sys/devices -path '*/net/*' -name ifindex");
		expect(text.split("\n")).toEqual(["lo", "/sys/devices/virtual/net/lo/ifindex"]);
		for (const name of withDevices) expect(mountAt(box.task, `/sys/${name}`)?.options).toContain("ro");
		expect(mountAt(box.task, "/sys/devices/virtual/net")?.options).toContain("rw");
		expect(readdirSync(`/proc/${box.task.pid}/root/sys/class`).sort()).toEqual(readdirSync("/sys/class").sort());
	},
);

test("with devices and the former network, they are those of the source, read-only", async () => {
	await using box = await sandbox();
	const place = box.folder("sys");
	box.task.run(() => populateSys(place, { devices: true, module: false, cgroup: false }));
	expect(readdirSync(box.outside("sys/class/net"))).toEqual(readdirSync("/sys/class/net"));
	const mounts = mountsOf(box.task).filter(({ at }) => at.startsWith(`${place}/`));
	const roots = new Map(mounts.map(({ at, root }) => [at.slice(place.length), root]));
	for (const name of withDevices) expect(roots.get(`/${name}`)).toBe(`/${name}`);
	for (const { options } of mounts) expect(options).toContain("ro");
	expect(readdirSync(box.outside("sys/module"))).toEqual([]);
	expect(readdirSync(box.outside("sys/fs/cgroup"))).toEqual([]);
});

test("sysbox #66: a sysfs of a network that is another user namespace's is EPERM with a hint, and nothing is mounted", async () => {
	await using box = await sandbox(ownUser());
	const before = traces(box.task);
	const error = box.task.run(() => refusal(() => populateSys(box.inside(), { namespaces: ["net"] })));
	expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("net") });
	expect(error).toMatchObject({ ...box.task.run(() => refusal(() => sysfs(box.inside()))) });
	expect(traces(box.task)).toEqual(before);
});

needs("cgroup namespaces").test("cgroup is a new cgroup2, a place that stays writable, or nothing", async () => {
	await using box = await sandbox(ownUser("cgroup"));
	const [fresh, given, readonly] = [box.folder("fresh"), box.folder("given"), box.folder("readonly")];
	const group = box.folder("group");
	box.task.run(() => {
		populateSys(fresh);
		using fd = openat2(group, { flags: ["path", "directory"] });
		populateSys(given, { cgroup: fd });
		populateSys(readonly, { cgroup: "readonly" });
	});
	expect(mountAt(box.task, `${fresh}/fs/cgroup`)).toMatchObject({
		type: "cgroup2",
		options: ["rw", "nosuid", "nodev", "noexec", "relatime"],
	});
	mkdirSync(box.outside("given/fs/cgroup/made"));
	expect(existsSync(box.outside("group/made"))).toBe(true);
	expect(mountAt(box.task, `${readonly}/fs/cgroup`)?.options).toContain("ro");
});

test("a missing part of the source is ENOENT with its path, a link is ELOOP, and nothing is mounted", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("sys")];
	const before = traces(box.task);
	const refused = (options: Parameters<typeof populateSys>[1]) =>
		box.task.run(() => refusal(() => populateSys(place, { namespaces: [], source, cgroup: false, ...options })));
	expect(refused({})).toMatchObject({ code: "ENOENT", path: `${source}/module` });
	expect(refused({ module: false, cgroup: "readonly" })).toMatchObject({ code: "ENOENT", path: `${source}/fs/cgroup` });
	expect(refused({ module: false, devices: true })).toMatchObject({ code: "ENOENT", path: `${source}/bus` });
	const cgroup = box.inside("missing");
	expect(refused({ module: false, cgroup })).toMatchObject({ code: "ENOENT", path: cgroup });
	symlinkSync("/etc", box.outside("source/module"));
	symlinkSync("/etc", box.outside("source/fs"));
	expect(refused({})).toMatchObject({ code: "ELOOP", path: `${source}/module` });
	expect(refused({ module: false, cgroup: "readonly" })).toMatchObject({ code: "ELOOP", path: `${source}/fs/cgroup` });
	expect(refused({ source: `${source}/module` })).toMatchObject({ code: "ENOENT", path: `${source}/module/module` });
	expect(traces(box.task)).toEqual(before);
});

needs("a /proc and a /sys that nothing hides", "/proc", "Linux 6.15").test(
	"all calls can be collected in a batch, and with null the caller gets the detached tree",
	async () => {
		await using box = await sandbox(ownUser("net"));
		const [one, two] = [box.folder("one"), box.folder("two")];
		const before = traces(box.task);
		const failed = box.task.batch(() => populateSys(one, { cgroup: box.inside("missing") }));
		await expect(failed).rejects.toMatchObject({ code: "ENOENT", step: expect.any(Number) });
		expect(traces(box.task)).toEqual(before);
		await box.task.batch(() => populateSys(one, { devices: true }));
		box.task.run(() => {
			using tree = populateSys(null);
			expect(traces(box.task).mounts).not.toContain(two);
			moveMount(tree, two);
		});
		for (const name of ["one", "two"]) expect(readdirSync(box.outside(`${name}/class/net`))).toEqual(["lo"]);
		expect(traces(box.task).descriptors).toBe(before.descriptors);
	},
);

needs("root").test("where the source is shared, its peers see nothing of what is put into the copy", async () => {
	await using host = await sharedHost();
	await using child = await host.task.clone({ namespaces: ["mnt"] });
	const before = traces(host.task);
	const [place, again] = [host.folder("place"), host.folder("again")];
	child.run(() => {
		populateSys(place, { namespaces: [], devices: true });
		bind("/proc", `${place}/devices`);
		populateSys(again, { source: new Location(undefined, place), namespaces: [], cgroup: "readonly" });
	});
	expect(mountAt(child, `${again}/fs/cgroup`)).toBeDefined();
	expect(traces(host.task)).toEqual(before);
});

test("options are checked before any call", async () => {
	await using box = await sandbox();
	const before = traces(box.task);
	const refused = (target: unknown, options: unknown = {}) =>
		box.task.run(() => refusal(() => populateSys(target as string, options as object)));
	const wrong = (options: object) => refused(box.inside("missing"), options);
	const [TYPE, VALUE] = ["ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_VALUE"];
	expect(refused(3)).toMatchObject({ code: TYPE });
	for (const name of ["source", "cgroup", "module", "devices", "namespaces"])
		expect([name, wrong({ [name]: 3 }).code]).toEqual([name, TYPE]);
	expect(wrong({ cgroup: true })).toMatchObject({ code: TYPE });
	expect(wrong({ namespaces: ["network"] })).toMatchObject({ code: VALUE });
	expect(wrong({ modules: true })).toMatchObject({ code: VALUE });
	expect(traces(box.task)).toEqual(before);
});
