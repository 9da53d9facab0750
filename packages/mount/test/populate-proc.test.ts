import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { type CloneOptions, openat2 } from "@nearfar/core";
import {
	currentTask,
	entersNamespaces,
	makesNamespaces,
	namespaceFlags,
	native,
	numberOf,
} from "@nearfar/core/internal";
import { bind, mount, moveMount, populateProc, populateSys, proc, tmpfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { has, isRoot, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { ownUser, runScript, sharedHost } from "./program.ts";
import { mountAt, mountsOf, sandbox, traces } from "./sandbox.ts";

type Kind = NonNullable<CloneOptions["namespaces"]>[number];

const unhidden = needs("a /proc and a /sys that nothing hides", "/proc");
const unhiddenSince615 = needs("a /proc and a /sys that nothing hides", "/proc", "Linux 6.15");
const readOnly = "Read-only file system";
/** The answer of the shell for a sysctl of the machine's network: the kernel looks at the owner first. */
const foreign = isRoot ? readOnly : "Permission denied";

/** A script that opens a sysctl for writing, without writing to it, and says how that ended. */
const tries = (...names: string[]) => names.map((name) => `(: >> /proc/sys/${name}) 2>&1 && echo written`).join("\n");

/** Returns the last words of each line: `written`, or the error. */
const outcomes = (text: string) => text.split("\n").map((line) => line.replace(/^.*: /, ""));

// Each of the two sysctls belongs to the root of a namespace.
unhidden.test.each<[string, Kind[], string, string]>([
	["pid user ipc uts", ["pid", "ipc", "uts"], "written", foreign],
	["pid user ipc uts net", ["pid", "ipc", "uts", "net"], "written", "written"],
	["pid user", ["pid"], readOnly, foreign],
	["pid user net", ["pid", "net"], readOnly, "written"],
	["user net", ["net"], readOnly, "written"],
	["user", [], readOnly, foreign],
	["user ipc uts net", ["ipc", "uts", "net"], readOnly, "written"],
])("linuxnamespaces research 14: which sysctls can be written with %s", async (_, kinds, kernel, network) => {
	await using box = await sandbox(ownUser(...kinds));
	const before = traces(box.task);
	box.task.run(() => populateProc("/proc"));
	expect(traces(box.task).descriptors).toBe(before.descriptors);
	const { text } = await runScript(box, tries("user/max_uts_namespaces", "net/ipv4/ip_forward"));
	expect(outcomes(text)).toEqual([kernel, network]);
	expect(mountAt(box.task, "/proc")).toMatchObject({ type: "proc" });
});

needs("root", "a /proc and a /sys that nothing hides").test(
	"a program sets the host name of its uts namespace by /proc/sys/kernel/hostname",
	async () => {
		const name = readFileSync("/proc/sys/kernel/hostname", "utf8");
		await using box = await sandbox(ownUser("pid", "ipc", "uts"));
		box.task.run(() => populateProc("/proc"));
		const { text } = await runScript(box, "echo inside > /proc/sys/kernel/hostname; uname -n");
		expect(text).toBe("inside");
		expect(readFileSync("/proc/sys/kernel/hostname", "utf8")).toBe(name);
	},
);

unhidden.test("a program writes to sysctls of its network, and reads what it has written", async () => {
	await using box = await sandbox(ownUser("pid", "net"));
	box.task.run(() => populateProc("/proc"));
	const script = "cd /proc/sys/net/ipv4 && echo 1 > ip_forward && cat ip_forward; echo $$; ls -d /proc/[0-9]* | wc -l";
	const { text } = await runScript(box, script);
	const [forward, pid, count] = text.split("\n");
	expect(forward).toBe("1");
	expect(Number(pid)).toBeLessThan(10);
	expect(Number(count)).toBeLessThan(10);
});

unhidden.test("nsjail PR 283: a fresh proc is nosuid, nodev and noexec, and takes the options of proc", async () => {
	await using box = await sandbox(ownUser("pid"));
	const [one, two] = [box.folder("one"), box.folder("two")];
	box.task.run(() => {
		populateProc(one, { proc: { hidepid: "invisible" } });
		populateProc(two, { proc: { subset: "pid" } });
	});
	expect(mountAt(box.task, one)).toMatchObject({ options: ["rw", "nosuid", "nodev", "noexec", "relatime"] });
	expect(mountAt(box.task, one)?.data).toContain("hidepid=invisible");
	expect(mountAt(box.task, `${one}/sys`)).toMatchObject({ options: expect.arrayContaining(["ro"]) });
	// procfs and libpathrs #62 #69: with the subset there is nothing but processes, so that nothing has to be covered.
	expect(readdirSync(box.outside("two"))).toEqual(expect.not.arrayContaining(["sys", "kcore"]));
	expect(mountsOf(box.task).filter(({ at }) => at.startsWith(`${two}/`))).toEqual([]);
});

test("without a pid namespace the source is bound with all that is mounted below", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.task.run(() => {
		bind("/proc", source);
		mount("below", `${source}/sys/fs`, "tmpfs");
		populateProc(place, { source, namespaces: [] });
	});
	expect(mountAt(box.task, place)).toMatchObject({ type: "proc" });
	expect(mountAt(box.task, `${place}/sys`)?.options).toContain("ro");
	const below = mountsOf(box.task).filter(({ at }) => at === `${place}/sys/fs`);
	expect(below.map(({ source, options }) => [source, options.includes("ro")])).toEqual([
		["below", false], // of the bind, covered by the next two
		["below", true],
	]);
	expect(mountAt(box.task, `${source}/sys`)).toBeUndefined();
});

unhidden.test("masked files read empty, masked directories are empty, read-only ones stay readable", async () => {
	await using box = await sandbox(ownUser("pid", "ipc", "uts", "net"));
	box.task.run(() => {
		populateProc("/proc", {
			mask: ["version", "/cpuinfo", "tty/", "net", "version"],
			readonly: ["uptime", "/sys/user", "fs/"],
		});
	});
	const script = [
		"cat /proc/version /proc/cpuinfo",
		"ls -A /proc/tty",
		"(: > /proc/tty/new) 2>&1",
		"cat /proc/net",
		...tries("user/max_uts_namespaces", "net/ipv4/ip_forward").split("\n"),
		"cat /proc/sys/kernel/ostype",
	].join("\n");
	const { text } = await runScript(box, script);
	expect(outcomes(text)).toEqual([readOnly, readOnly, "written", "Linux"]);
	expect(mountsOf(box.task).filter(({ at }) => at === "/proc/version")).toHaveLength(1);
	for (const at of ["/proc/version", "/proc/tty"])
		expect(mountAt(box.task, at)?.options).toEqual(expect.arrayContaining(["ro", "nosuid", "noexec"]));
});

test("a missing path is ENOENT, a wrong kind of file is refused, and nothing is mounted", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const before = traces(box.task);
	const refused = (options: Parameters<typeof populateProc>[1]) =>
		box.task.run(() => refusal(() => populateProc(place, { namespaces: [], ...options })));
	expect(refused({ mask: ["missing"] })).toMatchObject({ code: "ENOENT", syscall: "openat2", path: "missing" });
	expect(refused({ mask: ["missing/"] })).toMatchObject({ code: "ENOENT", path: "missing/" });
	expect(refused({ readonly: ["sys/missing"] })).toMatchObject({ code: "ENOENT", path: "sys/missing" });
	expect(refused({ source: box.inside("missing") })).toMatchObject({ code: "ENOENT", path: box.inside("missing") });
	expect(refused({ mask: ["version/"] })).toMatchObject({ code: "ENOTDIR", syscall: "openat2" });
	expect(refused({ mask: ["sys"] })).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
	expect(refused({ readonly: ["mounts"] })).toMatchObject({ code: "ELOOP", path: "mounts" });
	expect(refused({ mask: ["self/environ"] })).toMatchObject({ code: "ELOOP", path: "self/environ" });
	expect(traces(box.task)).toEqual(before);
});

test("CVE-2025-31133: a link or another file in place of /dev/null masks nothing, and nothing is mounted", async () => {
	await using box = await sandbox();
	const [place, dev] = [box.folder("place"), box.folder("dev")];
	symlinkSync("/proc/sys/kernel/core_pattern", box.outside("dev/null"));
	box.task.run(() => moveMount(bind(dev, null), "/dev"));
	const before = traces(box.task);
	const refused = () => box.task.run(() => refusal(() => populateProc(place, { namespaces: [], mask: ["version"] })));
	expect(refused()).toMatchObject({ code: "ELOOP", syscall: "openat2", path: "/dev/null" });
	// Before Linux 6.15 nothing is mounted in a detached tree, and a batch has no other.
	if (has("Linux 6.15")) {
		const batch = box.task.batch(() => populateProc(place, { namespaces: [], mask: ["version"] }));
		await expect(batch).rejects.toMatchObject({ code: "ELOOP", path: "/dev/null" });
	}
	const replaced = box.file("dev/file");
	box.task.run(() => {
		using file = openat2("/dev/null", { flags: ["path", "nofollow"] });
		bind(replaced, file);
	});
	const after = traces(box.task);
	expect(refused()).toMatchObject({ code: "ERR_NEARFAR_NULL_DEVICE" });
	expect([before.descriptors, traces(box.task)]).toEqual([after.descriptors, after]);
});

test("CVE-2025-52881: in a source that is no procfs, a link in place of sys is ELOOP, and no file of it is written", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	const refused = () => box.task.run(() => refusal(() => populateProc(place, { namespaces: [], source })));
	const before = traces(box.task);
	expect(refused()).toMatchObject({ code: "ENOENT", path: "sys" });
	symlinkSync("/etc", box.outside("source/sys"));
	expect(refused()).toMatchObject({ code: "ELOOP", path: "sys" });
	expect(traces(box.task)).toEqual(before);
});

unhidden.test(
	"bubblewrap #738: a proc over which something lies keeps a nested user namespace from mounting its own",
	async () => {
		for (const [options, code, covered] of [
			[{}, undefined, undefined],
			[{ mask: ["version"] }, "EPERM", "/proc/version"],
			[{ readonly: ["sys"] }, "EPERM", "/proc/sys"],
		] as const) {
			await using box = await sandbox(ownUser("pid", "ipc", "uts", "net"));
			const place = box.folder("place");
			box.task.run(() => populateProc("/proc", options));
			await using nested = await box.task.clone(ownUser("pid"));
			const error = nested.run(() => refusal(() => proc(place)));
			expect([options, error.code]).toEqual([options, code]);
			if (code) expect(error).toMatchObject({ hint: expect.stringContaining(covered) });
		}
	},
);

test("a fresh proc of another user namespace's pid namespace is EPERM with a hint, and nothing is mounted", async () => {
	await using box = await sandbox(ownUser());
	const before = traces(box.task);
	const error = box.task.run(() => refusal(() => populateProc(box.inside(), { namespaces: ["pid"] })));
	expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("pid namespace") });
	expect(traces(box.task)).toEqual(before);
});

unhiddenSince615.test(
	"all calls can be collected in a batch, and with null the caller gets the detached tree",
	async () => {
		await using box = await sandbox(ownUser("pid", "net"));
		const [one, two] = [box.folder("one"), box.folder("two")];
		const before = traces(box.task);
		await expect(box.task.batch(() => populateProc(one, { mask: ["version", "missing"] }))).rejects.toMatchObject({
			code: "ENOENT",
			step: expect.any(Number),
		});
		expect(traces(box.task)).toEqual(before);
		await box.task.batch(() => populateProc(one, { mask: ["version", "tty/"], readonly: ["fs"] }));
		box.task.run(() => {
			using tree = populateProc(null);
			expect(traces(box.task).mounts).not.toContain(two);
			moveMount(tree, two);
		});
		const places = mountsOf(box.task).map(({ at }) => at);
		expect(places).toEqual(expect.arrayContaining([one, `${one}/version`, `${one}/fs`, two, `${two}/sys`]));
		expect(traces(box.task).descriptors).toBe(before.descriptors);
	},
);

needs("root").test("where the source is shared, its peers see nothing of what is put into the copy", async () => {
	await using host = await sharedHost();
	await using child = await host.task.clone({ namespaces: ["mnt"] });
	const before = traces(host.task);
	const place = host.folder("place");
	child.run(() => populateProc(place, { namespaces: [], mask: ["version", "tty/"] }));
	expect(mountAt(child, `${place}/sys`)).toMatchObject({ type: "proc" });
	expect(traces(host.task)).toEqual(before);
});

needs("root", "net namespaces").test(
	"a task that has gone back to the network of this machine may not write to its sysctls, and sees no device of it in /sys",
	async () => {
		await using box = await sandbox({ namespaces: ["mnt", "net"] });
		const [place, sys] = [box.folder("proc"), box.folder("sys")];
		using here = openat2("/proc/self/ns/net");
		using there = box.task.put(here);
		box.task.run(() => {
			native().setns(numberOf(there), 0); // as setns of @nearfar/namespaces does
			entersNamespaces(currentTask(), ["net"]);
			populateProc(place);
			populateSys(sys, { cgroup: false });
		});
		expect(mountAt(box.task, `${place}/sys`)?.options).toContain("ro");
		expect(mountAt(box.task, `${place}/sys/net`)).toBeUndefined();
		expect(mountAt(box.task, `${sys}/devices/virtual/net`)).toBeUndefined();
	},
);

test("a task that has made a pid namespace for its children is not in it, and binds the proc of its own", async () => {
	await using box = await sandbox();
	const place = box.folder("proc");
	box.task.run(() => {
		native().unshare(namespaceFlags.pid); // as unshare of @nearfar/namespaces does
		makesNamespaces(currentTask(), ["pid"]);
		populateProc(place);
	});
	expect(mountAt(box.task, `${place}/sys`)?.options).toContain("ro");
	expect(existsSync(box.outside(`proc/${process.pid}`))).toBe(true);
});

test("options are checked before any call", async () => {
	await using box = await sandbox();
	const before = traces(box.task);
	const refused = (target: unknown, options: unknown = {}) =>
		box.task.run(() => refusal(() => populateProc(target as string, options as object)));
	const wrong = (options: unknown) => refused(box.inside("missing"), { namespaces: [], ...(options as object) });
	const TYPE = "ERR_INVALID_ARG_TYPE";
	const VALUE = "ERR_INVALID_ARG_VALUE";
	expect(refused(3)).toMatchObject({ code: TYPE });
	expect(wrong({ source: 3 })).toMatchObject({ code: TYPE });
	expect(wrong({ namespaces: "pid" })).toMatchObject({ code: TYPE });
	expect(wrong({ namespaces: ["process"] })).toMatchObject({ code: VALUE });
	expect(wrong({ proc: {} })).toMatchObject({ code: VALUE });
	expect(wrong({ namespaces: ["pid"], proc: 3 })).toMatchObject({ code: TYPE });
	expect(wrong({ namespaces: ["pid"], proc: { subset: "all" } })).toMatchObject({ code: VALUE });
	for (const name of ["mask", "readonly"]) {
		expect(wrong({ [name]: "sys" })).toMatchObject({ code: TYPE });
		expect(wrong({ [name]: [3] })).toMatchObject({ code: TYPE });
		for (const path of ["", "/", ".", "..", "sys/../kcore", "a//b", "//sys", "sys//", "a\0b", "/proc/kcore", "/proc/"])
			expect([path, wrong({ [name]: [path] }).code]).toEqual([path, VALUE]);
	}
	expect(wrong({ masks: [] })).toMatchObject({ code: VALUE });
	expect(traces(box.task)).toEqual(before);
});

unhidden.test("the umask and an empty tmpfs at the target change nothing", async () => {
	await using box = await sandbox(ownUser("pid"));
	const place = box.folder("place");
	box.task.run(() => {
		tmpfs(place);
		populateProc(place);
	});
	expect(mountAt(box.task, place)).toMatchObject({ type: "proc" });
});
