import { readdirSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync } from "node:fs";
import { Location, openat2 } from "@nearfar/core";
import { moveMount, mqueue, openTree, populateDev } from "@nearfar/mount";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { ownUser, runScript, withPrivilege } from "./program.ts";
import { type MountLine, mountAt, mountsOf, sandbox, traces } from "./sandbox.ts";

const usual = [
	"fd",
	"full",
	"null",
	"ptmx",
	"pts",
	"random",
	"shm",
	"stderr",
	"stdin",
	"stdout",
	"tty",
	"urandom",
	"zero",
];
const users = [
	["a user namespace of its own", ownUser()],
	["the privilege of this user", withPrivilege()],
] as const;

/** Returns the mounts below a place, by their paths from there. */
function below(mounts: MountLine[], place: string): Record<string, MountLine> {
	const inside = mounts.filter(({ at }) => at === place || at.startsWith(`${place}/`));
	return Object.fromEntries(inside.map((line) => [line.at.slice(place.length), line]));
}

test.each(users)("populateDev makes nodes, links, pts and shm (%s)", async (_, options) => {
	await using box = await sandbox(options);
	const place = box.folder("dev");
	const before = traces(box.task);
	box.task.run(() => populateDev(place));
	expect(traces(box.task).descriptors).toBe(before.descriptors);
	const there = box.outside("dev");
	expect(readdirSync(there).sort()).toEqual(usual);
	expect(statSync(there).mode & 0o7777).toBe(0o755);
	expect(statSync(`${there}/shm`).mode & 0o7777).toBe(0o1777);
	const links = ["fd", "stdin", "stdout", "stderr", "ptmx"].map((name) => readlinkSync(`${there}/${name}`));
	expect(links).toEqual(["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]);
	const mounts = below(mountsOf(box.task), place);
	expect(Object.keys(mounts).sort()).toEqual(
		["", "/full", "/null", "/pts", "/random", "/shm", "/tty", "/urandom", "/zero"].sort(),
	);
	expect(mounts[""]).toMatchObject({ type: "tmpfs", options: ["rw", "nosuid", "noexec", "relatime"] });
	expect(mounts["/null"]?.options).toEqual(expect.arrayContaining(["rw", "nosuid", "noexec"]));
	expect(mounts["/null"]?.options).not.toContain("nodev");
	expect(mounts["/pts"]).toMatchObject({ type: "devpts", options: ["rw", "nosuid", "noexec", "relatime"] });
	expect(mounts["/shm"]).toMatchObject({ type: "tmpfs", options: ["rw", "nosuid", "nodev", "relatime"] });
});

test.each(users)("linuxnamespaces research 13: populateDev covers /dev, its own source (%s)", async (_, options) => {
	await using box = await sandbox(options);
	box.task.run(() => populateDev("/dev"));
	const { text } = await runScript(
		box,
		"ls /dev; head -c 3 /dev/zero | od -An -tx1; echo gone > /dev/null; cat /dev/null",
	);
	expect(text.split("\n")).toEqual([...usual, " 00 00 00"]);
});

test("bubblewrap #191 #329: a program has /dev/fd, and everyone may write to /dev/shm", async () => {
	await using box = await sandbox(ownUser());
	box.task.run(() => populateDev("/dev"));
	const script =
		"echo read | cat /dev/fd/0; (echo written > /dev/stdout) | cat; stat -c %a /dev/shm; echo kept > /dev/shm/x; cat /dev/shm/x";
	expect(await runScript(box, script)).toEqual({ text: "read\nwritten\n1777\nkept", code: 0 });
});

const terminal = `python3 -c 'import os
master, slave = os.openpty()
print(os.ttyname(slave), oct(os.fstat(slave).st_mode & 0o777), os.fstat(slave).st_gid)
os.write(slave, b"typed")
print(os.read(master, 5).decode(), sorted(os.listdir("/dev/pts")))'`;

needs("the program python3").test.each(users)(
	"systemd PR 7886: ptmx opens a terminal of the new instance, and not of the host (%s)",
	async (_, options) => {
		await using box = await sandbox(options);
		box.task.run(() => populateDev("/dev"));
		const { text, code } = await runScript(box, terminal);
		expect({ text, code }).toEqual({ text: "/dev/pts/0 0o620 0\ntyped ['0', 'ptmx']", code: 0 });
	},
);

test("singularity #1186: a group of terminals that the user namespace does not map is EINVAL, and nothing is mounted", async () => {
	await using box = await sandbox(ownUser());
	const place = box.folder("dev");
	const before = traces(box.task);
	const error = box.task.run(() => refusal(() => populateDev(place, { ptsGid: 5 })));
	expect(error).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
	// Older kernels say nothing in the log of a context of devpts.
	if (has("Linux 6.13")) expect(error).toMatchObject({ log: [expect.stringContaining("Invalid gid")] });
	expect(traces(box.task)).toEqual(before);
	box.task.run(() => populateDev(place, { ptsGid: 0 }));
	expect(mountAt(box.task, `${place}/pts`)?.data).toMatch(/(^|,)gid=\d+/);
});

test("pts is the host's, an empty directory for later, or absent", async () => {
	await using box = await sandbox();
	const [host, defer, absent] = [box.folder("host"), box.folder("defer"), box.folder("absent")];
	box.task.run(() => {
		populateDev(host, { pts: "host" });
		populateDev(defer, { pts: "defer" });
		populateDev(absent, { pts: "absent", shm: false, devices: [] });
	});
	expect(readdirSync(box.outside("host/pts"))).toEqual(readdirSync("/dev/pts"));
	expect(mountAt(box.task, `${host}/pts`)).toMatchObject({ type: "devpts" });
	expect(readlinkSync(box.outside("host/ptmx"))).toBe("pts/ptmx");
	expect(readdirSync(box.outside("defer/pts"))).toEqual([]);
	expect(statSync(box.outside("defer/pts")).mode & 0o7777).toBe(0o755);
	expect(mountAt(box.task, `${defer}/pts`)).toBeUndefined();
	expect(readlinkSync(box.outside("defer/ptmx"))).toBe("pts/ptmx");
	expect(readdirSync(box.outside("absent")).sort()).toEqual(["fd", "stderr", "stdin", "stdout"]);
});

needs("ipc namespaces").test("mqueue shows the queues of the task's ipc namespace, and console a file", async () => {
	await using box = await sandbox(ownUser("ipc"));
	const place = box.folder("dev");
	box.task.run(() => {
		using tty = openat2("/dev/tty", { flags: ["path"] });
		populateDev(place, { mqueue: true, console: tty });
	});
	expect(mountAt(box.task, `${place}/mqueue`)).toMatchObject({ type: "mqueue" });
	expect(statSync(box.outside("dev/console")).rdev).toBe(statSync("/dev/tty").rdev);
	expect(mountAt(box.task, `${place}/console`)?.options).toEqual(expect.arrayContaining(["nosuid", "noexec"]));
});

test("mqueue in the ipc namespace of another user namespace is EPERM with a hint, and nothing is mounted", async () => {
	await using box = await sandbox(ownUser());
	const place = box.folder("dev");
	const before = traces(box.task);
	const error = box.task.run(() => refusal(() => populateDev(place, { mqueue: true })));
	expect(error).toMatchObject(box.task.run(() => refusal(() => mqueue(place))));
	expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("ipc") });
	expect(traces(box.task)).toEqual(before);
});

test("linuxnamespaces research c 15: fuse and tun are there on demand, and a missing node is ENOENT with its path", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("dev")];
	box.folder("source/net");
	for (const name of ["one", "fuse"]) box.file(`source/${name}`, name);
	const before = traces(box.task);
	const missing = (options: Parameters<typeof populateDev>[1]) =>
		box.task.run(() => refusal(() => populateDev(place, { source, devices: ["one"], ...options })));
	expect(missing({ tun: true })).toMatchObject({ code: "ENOENT", syscall: "openat2", path: `${source}/net/tun` });
	expect(missing({ devices: ["two"] })).toMatchObject({ code: "ENOENT", path: `${source}/two` });
	expect(missing({ source: `${source}/none` })).toMatchObject({ code: "ENOENT", path: `${source}/none` });
	expect(missing({ pts: "host" })).toMatchObject({ code: "ENOENT", path: `${source}/pts` });
	expect(traces(box.task)).toEqual(before);
	box.file("source/net/tun", "tun");
	box.task.run(() => populateDev(place, { source, devices: ["one"], fuse: true, tun: true }));
	expect(readdirSync(box.outside("dev"))).toEqual(expect.arrayContaining(["fuse", "net", "one"]));
	expect(statSync(box.outside("dev/net")).mode & 0o7777).toBe(0o755);
	expect(mountAt(box.task, `${place}/net/tun`)).toMatchObject({ root: expect.stringMatching(/\/source\/net\/tun$/) });
});

test("CVE-2025-31133: a link at the name of a node is ELOOP, also on the way to the node, and nothing is mounted", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("dev")];
	symlinkSync("/proc/sys/kernel/core_pattern", box.outside("source/null"));
	symlinkSync("/dev/net", box.outside("source/net"));
	symlinkSync("/dev/pts", box.outside("source/pts"));
	const before = traces(box.task);
	const refused = (options: Parameters<typeof populateDev>[1]) =>
		box.task.run(() => refusal(() => populateDev(place, { source, devices: [], ...options })));
	expect(refused({ devices: ["null"] })).toMatchObject({ code: "ELOOP", path: `${source}/null` });
	expect(refused({ tun: true })).toMatchObject({ code: "ELOOP", path: `${source}/net/tun` });
	expect(refused({ pts: "host" })).toMatchObject({ code: "ELOOP", path: `${source}/pts` });
	expect(traces(box.task)).toEqual(before);
});

test("CVE-2025-52565: a console that was opened before stays the one that is bound, whatever takes its name", async () => {
	await using box = await sandbox();
	const place = box.folder("dev");
	const console = box.file("console", "the terminal");
	box.task.run(() => {
		using opened = openat2(console, { flags: ["path"] });
		renameSync(box.outside("console"), box.outside("moved"));
		symlinkSync("/proc/sys/kernel/core_pattern", box.outside("console"));
		populateDev(place, { console: opened });
	});
	expect(readFileSync(box.outside("dev/console"), "utf8")).toBe("the terminal");
});

test("CVE-2026-41579: where /dev of an image is a link, a place that was opened inside the image stays inside", async () => {
	await using box = await sandbox();
	const [image, host] = [box.folder("image"), box.folder("host")];
	box.folder(`image${host}`); // what the link means in the image
	symlinkSync(host, box.outside("image/dev"));
	const before = traces(box.task);
	expect(box.task.run(() => refusal(() => populateDev(`${image}/dev`)))).toMatchObject({ code: "EINVAL" });
	expect(traces(box.task)).toEqual(before);
	box.task.run(() => {
		using root = openTree(image);
		using place = root.open("dev", { flags: ["path", "directory"] });
		populateDev(place);
	});
	expect(mountAt(box.task, host)).toBeUndefined();
	expect(mountAt(box.task, `${image}${host}`)).toMatchObject({ type: "tmpfs" });
});

test("a node that is a directory is EINVAL, a component that is a file ENOTDIR, and nothing is mounted", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("dev")];
	box.folder("source/snd");
	box.file("source/file");
	const before = traces(box.task);
	const refused = (name: string) => box.task.run(() => refusal(() => populateDev(place, { source, devices: [name] })));
	expect(refused("snd")).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
	expect(refused("file/below")).toMatchObject({ code: "ENOTDIR", path: `${source}/file/below` });
	expect(traces(box.task)).toEqual(before);
});

test("the source may be an open directory or a Location, and /dev itself is a source as a link", async () => {
	await using box = await sandbox();
	const [one, two] = [box.folder("one"), box.folder("two")];
	symlinkSync("/dev", box.outside("link"));
	box.task.run(() => {
		using dev = openat2("/dev", { flags: ["path", "directory"] });
		populateDev(one, { source: dev });
		populateDev(two, { source: new Location(undefined, box.inside("link")) });
		const link = refusal(() =>
			populateDev(two, { source: new Location(undefined, box.inside("link"), { symlinks: false }) }),
		);
		expect(link).toMatchObject({ code: "ENOTDIR" });
	});
	for (const name of ["one", "two"])
		expect(statSync(box.outside(`${name}/null`)).rdev).toBe(statSync("/dev/null").rdev);
});

needs("Linux 6.15").test("with null the caller gets the detached tree, to attach or to let dissolve", async () => {
	await using box = await sandbox();
	const place = box.folder("dev");
	const before = traces(box.task);
	box.task.run(() => {
		using dev = populateDev(null);
		using zero = dev.open("zero");
		expect(zero.read(2)).toEqual(Buffer.alloc(2));
		expect(traces(box.task).mounts).toBe(before.mounts);
		dev.attach(place);
		expect(mountAt(box.task, place)).toMatchObject({ type: "tmpfs" });
	});
	expect(traces(box.task)).toEqual(before);
});

needs("Linux 6.15").test(
	"all calls can be collected in a batch, and a batch that fails afterwards leaves nothing of a tree that it holds",
	async () => {
		await using box = await sandbox();
		const [place, other] = [box.folder("dev"), box.folder("other")];
		const before = traces(box.task);
		const failed = box.task.batch(() => {
			using dev = populateDev(null);
			openat2(box.inside("missing"));
			moveMount(dev, place);
		});
		await expect(failed).rejects.toMatchObject({ code: "ENOENT", path: box.inside("missing") });
		const half = box.task.batch(() => populateDev(place, { devices: ["null", "missing"] }));
		await expect(half).rejects.toMatchObject({ code: "ENOENT", step: expect.any(Number) });
		expect(traces(box.task)).toEqual(before);
		await box.task.batch(() => populateDev(place));
		expect(readdirSync(box.outside("dev")).sort()).toEqual(usual);
		await box.task.batch(() => {
			using dev = populateDev(null);
			moveMount(dev, other);
		});
		expect(readdirSync(box.outside("other")).sort()).toEqual(usual);
		expect(traces(box.task).descriptors).toBe(before.descriptors);
	},
);

test("bubblewrap #390: a target that is a link is not followed, a Location follows, a descriptor is the place", async () => {
	await using box = await sandbox();
	const place = box.folder("dev");
	symlinkSync("dev", box.outside("link"));
	const before = traces(box.task);
	const link = box.task.run(() => refusal(() => populateDev(box.inside("link"))));
	expect(link).toMatchObject({ code: "EINVAL", syscall: "move_mount", dest: box.inside("link") });
	const missing = box.task.run(() => refusal(() => populateDev(box.inside("missing"))));
	expect(missing).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
	const file = box.task.run(() => refusal(() => populateDev(box.file("file"))));
	expect(file).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
	expect(traces(box.task)).toEqual(before);
	box.task.run(() => populateDev(new Location(undefined, box.inside("link"))));
	expect(mountAt(box.task, place)).toMatchObject({ type: "tmpfs" });
	const inner = box.folder("inner");
	box.task.run(() => {
		using fd = openat2(inner, { flags: ["path", "directory"] });
		populateDev(fd);
	});
	expect(mountAt(box.task, inner)).toMatchObject({ type: "tmpfs" });
});

needs("the device /dev/net/tun").test("the umask cuts no mode down", async () => {
	await using box = await sandbox();
	const place = box.folder("dev");
	box.file("net-tun");
	box.task.run(() => {
		box.task.syscall(process.arch === "arm64" ? 166 : 95, 0o777); // umask(2)
		populateDev(place, { pts: "defer", devices: ["net/tun", "null"] });
	});
	for (const name of ["net", "pts"]) expect(statSync(box.outside(`dev/${name}`)).mode & 0o7777).toBe(0o755);
});

test("options are checked before any call", async () => {
	await using box = await sandbox();
	const before = traces(box.task);
	const refused = (target: unknown, options: unknown = {}) =>
		box.task.run(() => refusal(() => populateDev(target as string, options as object)));
	const wrong = (options: unknown) => refused(box.inside("missing"), options);
	const TYPE = "ERR_INVALID_ARG_TYPE";
	const VALUE = "ERR_INVALID_ARG_VALUE";
	expect(refused(3)).toMatchObject({ code: TYPE });
	expect(refused(undefined)).toMatchObject({ code: TYPE });
	expect(wrong({ source: 3 })).toMatchObject({ code: TYPE });
	expect(wrong({ console: 3 })).toMatchObject({ code: TYPE });
	expect(wrong({ devices: "null" })).toMatchObject({ code: TYPE });
	expect(wrong({ devices: [3] })).toMatchObject({ code: TYPE });
	for (const name of [
		"",
		"/null",
		"null/",
		"../null",
		"a/../b",
		"a//b",
		".",
		"a\0b",
		"ptmx",
		"pts/0",
		"fd",
		"shm",
		"console",
	])
		expect([name, wrong({ devices: [name] }).code]).toEqual([name, VALUE]);
	for (const name of ["fuse", "tun", "shm", "mqueue"]) expect(wrong({ [name]: 1 })).toMatchObject({ code: TYPE });
	expect(wrong({ pts: "old" })).toMatchObject({ code: VALUE });
	expect(wrong({ ptsGid: -1 })).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	expect(wrong({ ptsGid: 2 ** 32 - 1 })).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	expect(wrong({ ptsGid: 0, pts: "host" })).toMatchObject({ code: VALUE });
	expect(wrong({ device: [] })).toMatchObject({ code: VALUE });
	expect(traces(box.task)).toEqual(before);
});

needs("a /proc and a /sys that nothing hides", "/proc").test(
	"near, in a process of its own, all three functions work",
	async () => {
		await using box = await sandbox(ownUser("net"));
		const child = box.task.exec(process.execPath, [
			process.execPath,
			fixturePath("mount/near-populate"),
			box.folder("place"),
		]);
		await child.check();
	},
);
