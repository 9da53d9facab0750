// Features that a host may lack: of the CPU, of the kernel and its configuration, a mounted file system, a program, a
// limit of the user. This file probes each feature, and no other file does. The name of a skipped test has the reason, and
// `npm test` lists the skipped tests.
import { spawnSync } from "node:child_process";
import {
	accessSync,
	chmodSync,
	closeSync,
	constants,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readFileSync,
	rmdirSync,
	rmSync,
	statfsSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { release, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openat2, Task } from "@nearfar/core";
import { describe, TestRunner, test } from "vitest";

/** The names of the features. Each one ends the sentence "This test needs …". */
export type Need =
	| keyof typeof probes
	| `Linux ${number}.${number}`
	| `ABI ${number} of Landlock`
	| `a kernel without ABI ${number} of Landlock`
	| `the program ${string}`
	| `the file system ${string}`
	| `${number} open files`;

/** The functions that declare tests. */
export interface Declare {
	readonly test: typeof test;
	readonly describe: typeof describe;
}

/** True when the tests run as user 0. Whether that user has the privileges of root is another question. */
export const isRoot = process.geteuid?.() === 0;

const x64 = process.arch === "x64";
const syscalls = x64
	? { prctl: 157, keyctl: 250, setMempolicy: 238, getMempolicy: 239, ioprioGet: 252, kcmp: 312 }
	: { prctl: 167, keyctl: 219, setMempolicy: 237, getMempolicy: 236, ioprioGet: 31, kcmp: 272 };
const [pidfdSendSignal, ioUringSetup, landlockCreateRuleset] = [424, 425, 444];
const { O_NOCTTY } = constants;
const [TMPFS_MAGIC, OVERLAYFS_MAGIC] = [0x0102_1994, 0x794c_7630];
const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY | constants.O_RDWR;

/** The path at which the whole of cgroup v2 is mounted, or `undefined`. */
export const cgroupRoot = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(read("/proc/self/mountinfo"))?.[1];

/** The path at which the pids controller of cgroup v1 or v2 is mounted, or `undefined`. */
export const pidsRoot =
	/^\S+ \S+ \S+ \/ (\S+) .* - cgroup \S+ \S*\bpids\b/m.exec(read("/proc/self/mountinfo"))?.[1] ?? cgroupRoot;

/**
 * The cgroup v2 in which tests make groups of their own: the root for root, of an ordinary user the one above the cgroup of the
 * tests. `undefined`: no mount shows it.
 */
export const groupsPlace = placeOfGroups();

/** What a systemd of a user and its bus consist of. */
const systemdFiles = ["/lib/systemd/systemd", "/usr/lib/systemd/user/dbus.socket", "/usr/bin/busctl"];

const probes = {
	root: () => isRoot && hasCapabilitiesOfRoot() && /^\s*0\s+0\s+4294967295\s*$/.test(read("/proc/self/uid_map")),
	"an ordinary user": () => !isRoot,
	"newuidmap and newgidmap with their bits": () => ["newuidmap", "newgidmap"].every(isSetUserId),
	"another user as the owner of process 1": () => statSync("/proc/1").uid !== (isRoot ? 1000 : process.geteuid?.()),
	"the privilege to be an I/O flusher": () => prctl(58) === 0, // PR_GET_IO_FLUSHER, with CAP_SYS_RESOURCE alone
	"a login uid that is not set": () => read("/proc/self/loginuid") === "4294967295",
	"no_new_privs that is not set": () => status("NoNewPrivs") === "0",

	glibc: () => "glibcVersionRuntime" in (process.report.getReport() as unknown as { header: object }).header,
	"the headers of libcap 2.66": () => libcapIsAtLeast(2, 66),
	"a Node that builds single executables": () => Number(process.versions.node.split(".")[0]) > 25,

	// The CPU.
	"a CPU that can switch off speculative store bypass": () => speculationCanBeDisabled(),
	"a CPU that can flush its first cache": () => (prctl(52, 2) & 1) === 1, // PR_SPEC_L1D_FLUSH, PR_SPEC_PRCTL

	// The configuration of the kernel, less the calls that the filter of a container refuses.
	"huge pages": () => status("THP_enabled") !== undefined,
	"merging of equal memory": () => prctl(68) === 0, // PR_GET_MEMORY_MERGE
	"memory that cannot become executable": () => prctl(66) === 0, // PR_GET_MDWE
	"policies for memory failures": () => prctl(34) === 2, // PR_MCE_KILL_GET, PR_MCE_KILL_DEFAULT
	"core scheduling": () => works(() => Task.near.syscall(syscalls.prctl, 62, 0, 0, 0, Buffer.alloc(8))), // PR_SCHED_CORE
	"key rings": () => works(() => Task.near.syscall(syscalls.keyctl, 0, -3, 0), "ENOKEY"),
	"NUMA policies": () =>
		works(() => Task.near.syscall(syscalls.getMempolicy, 0, 0, 0, 0, 0)) &&
		works(() => Task.near.syscall(syscalls.setMempolicy, 0, 0, 0)), // MPOL_DEFAULT, as before
	"numbers that mean the own pidfd": () => works(() => Task.near.syscall(pidfdSendSignal, -10001, 0, 0, 0)), // PIDFD_SELF_THREAD_GROUP
	"filters of core dumps": () => existsSync("/proc/self/coredump_filter"),
	kcmp: () => works(() => Task.near.syscall(syscalls.kcmp, process.pid, process.pid, 3, 0, 0)), // KCMP_FS
	"I/O priorities": () => works(() => Task.near.syscall(syscalls.ioprioGet, 1, 0)),
	"real-time scheduling": () => spawnSync("chrt", ["--fifo", "1", "true"]).status === 0,
	io_uring: () => works(() => closeSync(Number(Task.near.syscall(ioUringSetup, 1, Buffer.alloc(120)))) as never),
	Landlock: () => landlockVersion() > 0,
	Yama: () => existsSync("/proc/sys/kernel/yama"),
	"a kernel without Yama": () => !existsSync("/proc/sys/kernel/yama"),
	"cgroup namespaces": () => existsSync("/proc/self/ns/cgroup"),
	"ipc namespaces": () => existsSync("/proc/self/ns/ipc"),
	"mnt namespaces": () => existsSync("/proc/self/ns/mnt"),
	"net namespaces": () => existsSync("/proc/self/ns/net"),
	"pid namespaces": () => existsSync("/proc/self/ns/pid"),
	"time namespaces": () => existsSync("/proc/self/ns/time"),
	"user namespaces": () => existsSync("/proc/self/ns/user"),
	"uts namespaces": () => existsSync("/proc/self/ns/uts"),
	"the running system call in /proc": () => callOfAChildIsShown(),
	"a process that another one may trace": () => siblingMayBeTraced(),

	// Devices and mounted file systems.
	"the device /dev/net/tun": () => existsSync("/dev/net/tun"),
	pseudoterminals: () =>
		works(() => closeSync(openSync("/dev/ptmx", O_NOCTTY)) as never) && existsSync("/dev/pts/ptmx"),
	// These two ask nearfar, because node:fs may look into another procfs: see own-proc.mjs.
	"/proc": () => works(() => Task.near.run(() => openat2("/proc/self/stat").close())),
	"a /proc of this pid namespace": () => showsThisPidNamespace(),
	"cgroup v2 in which this user can make groups": () => canMakeCgroup(),
	"a cgroup in which this user can make groups": () =>
		newCgroupIs(groupsPlace, (path) => read(join(path, "cgroup.type")).trim() === "domain"),
	"pressure of a cgroup": () => newCgroupIs(groupsPlace, (path) => canWrite(join(path, "cpu.pressure"))),
	"a cgroup whose number of processes can be limited": () => canLimitProcesses(),
	"cgroup v2": () => cgroupRoot !== undefined,
	"a controller in cgroup v2": () =>
		cgroupRoot !== undefined && read(join(cgroupRoot, "cgroup.controllers")).trim() !== "",
	"a host whose controllers are in cgroup v1": () =>
		cgroupRoot !== undefined && /^[1-9]\d*:(.*,)?memory[,:]/m.test(read("/proc/self/cgroup")),
	"a cgroup with memory and pids in which this user can make groups": () =>
		groupWithLimits(["memory", "pids"]) !== undefined,
	"groups of cgroup v2 with limits": () => groupWithLimits() !== undefined,
	"a host without groups with limits": () => groupWithLimits() === undefined && !existsSync("/run/systemd/system"),
	"a systemd that this user can start": () => canStartSystemd(),
	"the programs of systemd for a user": () => systemdFiles.every(existsSync),
	"cgroup v2 of another user": () => cgroupRoot !== undefined && !isRoot && !canWrite(join(cgroupRoot, "cgroup.procs")),
	"sysctls that can be written": () => !isReadOnly("/proc/sys/user"),
	"vm.memfd_noexec": () => existsSync("/proc/sys/vm/memfd_noexec") && !isReadOnly("/proc/sys/vm"),
	"a /proc and a /sys that nothing hides": () => !isPartlyHidden("/proc") && !isPartlyHidden("/sys"),
	"a temporary folder whose files can be executed": () => canExecuteIn(tmpdir()),
	"a temporary folder with O_TMPFILE": () => works(() => closeSync(openSync(tmpdir(), O_TMPFILE, 0o600)) as never),
	// A tmpfs since Linux 6.3, most file systems of disks since Linux 5.12 to 5.19, and an overlay never.
	"a temporary folder that can be id-mapped": () => {
		const { type } = statfsSync(tmpdir());
		return type === TMPFS_MAGIC ? isAtLeast(6, 3) : type !== OVERLAYFS_MAGIC;
	},
	"a /usr that is complete without the rest": () =>
		spawnSync("sh", ["-c", "test -L /bin && test -L /lib"]).status === 0,

	// The limits of the user.
	"a nice value below 10": () => Number(statFields()[16]) < 10,
	"a nice value below 15": () => Number(statFields()[16]) < 15,
	"an oom_score_adj below 1000": () => Number(read("/proc/self/oom_score_adj")) < 1000,
	"limits that can be raised": () => ((BigInt(`0x${status("CapEff")}`) >> 24n) & 1n) === 1n, // CAP_SYS_RESOURCE
	"a resource without a limit": () => / unlimited +unlimited /.test(read("/proc/self/limits")),
	"2500 processes at once": () => processLimit() > 4000,
} satisfies Record<string, () => boolean>;

/** Returns the ABI of Landlock; 0: the kernel has none, or a filter refuses the call. */
function landlockVersion(): number {
	try {
		return Number(Task.near.syscall(landlockCreateRuleset, 0, 0, 1));
	} catch {
		return 0;
	}
}

const known = new Map<Need, boolean>();

/** True when the host has the feature. */
export function has(need: Need): boolean {
	const answer = known.get(need) ?? probe(need);
	known.set(need, answer);
	return answer;
}

/** Returns `test` and `describe` for tests that need all of these features. On other hosts both declare skipped tests. */
export function needs(...all: readonly Need[]): Declare {
	const missing = all.filter((need) => !has(need));
	if (missing.length === 0) return { test, describe };
	const why = ` (skipped: needs ${missing.join(", ")})`;
	return { test: skipping(test.skip, why), describe: skipping(describe.skip, why) };
}

/** Skips the test that runs if it lacks what only the test itself can find out. The report names the need, as for {@link needs}. */
export function skipUnless(has: boolean, need: string): void {
	const running = TestRunner.getCurrentTest();
	if (has || !running) return;
	(running.meta as { needs?: string }).needs = need;
	running.context.skip(`needs ${need}`);
}

/** Returns a function that declares skipped tests, whose names end with the reason. */
function skipping<Api extends typeof test | typeof describe>(skip: Api["skip"], why: string): Api {
	const declare = skip as unknown as { (name: string, ...rest: unknown[]): void; each: typeof test.each };
	const each =
		(cases: readonly unknown[]) =>
		(name: string, ...rest: [() => void]) =>
			declare.each(cases)(`${name}${why}`, ...rest);
	return Object.assign((name: string, ...rest: unknown[]) => declare(`${name}${why}`, ...rest), {
		each,
	}) as unknown as Api;
}

function probe(need: Need): boolean {
	const [, major, minor] = /^Linux (\d+)\.(\d+)$/.exec(need) ?? [];
	if (major) return isAtLeast(Number(major), Number(minor));
	const [, without, abi] = /^(a kernel without )?ABI (\d+) of Landlock$/.exec(need) ?? [];
	if (abi) return landlockVersion() >= Number(abi) === (without === undefined);
	const [, program] = /^the program (.*)$/.exec(need) ?? [];
	if (program) return isInPath(program);
	const [, type] = /^the file system (.*)$/.exec(need) ?? [];
	if (type) return new RegExp(`\\t${type}$`, "m").test(read("/proc/filesystems"));
	const [, files] = /^(\d+) open files$/.exec(need) ?? [];
	if (files) return openFilesLimit() >= Number(files);
	return probes[need as keyof typeof probes]();
}

function isAtLeast(major: number, minor: number): boolean {
	const [ours = 0, second = 0] = release().split(".").map(Number);
	return ours > major || (ours === major && second >= minor);
}

function isInPath(program: string): boolean {
	const folders = (process.env.PATH ?? "").split(delimiter);
	return folders.some((folder) => works(() => accessSync(join(folder, program), constants.X_OK) as never));
}

/** True when a call succeeds, or fails with this code. */
function works(call: () => unknown, allowed?: string): boolean {
	try {
		call();
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === allowed;
	}
}

/** Returns the text of a file, or "" if the file cannot be read. */
function read(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

/** Returns a field of /proc/self/status. */
function status(field: string): string | undefined {
	return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(read("/proc/self/status"))?.[1];
}

/** Returns the fields of /proc/self/stat after the name. The first one is the state. */
function statFields(): string[] {
	const text = read("/proc/self/stat");
	return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** True when user 0 has the capabilities that these tests use. In a container, user 0 has only a few. */
function hasCapabilitiesOfRoot(): boolean {
	const [DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_RAW] = [1n, 5n, 6n, 7n, 8n, 13n];
	const [SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, SYS_NICE, SETFCAP] = [18n, 19n, 21n, 23n, 31n];
	const general = [DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_RAW, SETFCAP];
	const ofTheSystem = [SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, SYS_NICE];
	const effective = BigInt(`0x${status("CapEff")}`);
	return [...general, ...ofTheSystem].every((capability) => (effective >> capability) & 1n);
}

/** True when the C compiler finds the headers of libcap, of this version or of a later one. */
function libcapIsAtLeast(major: number, minor: number): boolean {
	const later = `LIBCAP_MAJOR > ${major} || LIBCAP_MAJOR == ${major} && LIBCAP_MINOR >= ${minor}`;
	const input = `#include <sys/capability.h>\n#if !(${later})\n#error\n#endif\n`;
	return spawnSync("cc", ["-fsyntax-only", "-x", "c", "-"], { input }).status === 0;
}

function speculationCanBeDisabled(): boolean {
	const [PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS] = [52, 0];
	const [PR_SPEC_PRCTL, PR_SPEC_ENABLE] = [1, 2];
	return prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS) === (PR_SPEC_PRCTL | PR_SPEC_ENABLE);
}

/** Returns what an option of prctl(2) returns; -1 if the kernel refuses it. */
function prctl(option: number, argument = 0): number {
	try {
		return Number(Task.near.syscall(syscalls.prctl, option, argument, 0, 0, 0));
	} catch {
		return -1;
	}
}

/**
 * True when /proc shows the system call in which a child waits, also a task that is still being cloned. Only root may look
 * into a task, and Yama can forbid that too.
 */
function callOfAChildIsShown(): boolean {
	const script = "read line < /proc/self/syscall && cat /proc/$PPID/stat > /dev/null";
	const scope = Number(read("/proc/sys/kernel/yama/ptrace_scope") || 0);
	return isRoot && spawnSync("sh", ["-c", script]).status === 0 && scope < 3;
}

/** True when python3 may trace a process that is not its child: Yama or a filter can forbid that. */
function siblingMayBeTraced(): boolean {
	const tracer = fileURLToPath(new URL("tracer.py", import.meta.url));
	const script = 'sleep 1000 & python3 "$0" $!; traced=$?; kill $!; exit $traced';
	return spawnSync("sh", ["-c", script, tracer]).status === 0;
}

/** True when a program of `/usr/bin` is root's, and has the set-user-id bit. */
function isSetUserId(program: string): boolean {
	const path = `/usr/bin/${program}`;
	if (!existsSync(path)) return false;
	const { uid, mode } = statSync(path);
	return uid === 0 && (mode & 0o4000) !== 0;
}

/** Returns the path of the cgroup v2 of this process. */
function ownCgroup(): string | undefined {
	return /^0::(.*)$/m.exec(read("/proc/self/cgroup"))?.[1];
}

function placeOfGroups(): string | undefined {
	const own = ownCgroup();
	if (cgroupRoot === undefined || !own?.startsWith("/")) return undefined;
	return isRoot || own === "/" ? cgroupRoot : dirname(join(cgroupRoot, own));
}

/** True when processes can be in a new cgroup, and can be killed and frozen there. */
function canMakeCgroup(): boolean {
	return newCgroupIs(cgroupRoot, (path) => {
		const files = ["cgroup.kill", "cgroup.freeze", "cgroup.events"].map((name) => join(path, name));
		return files.every(existsSync) && read(join(path, "cgroup.type")).trim() === "domain";
	});
}

/** True when an ordinary user may start a systemd of its own, with a bus, in a cgroup beside its own one. */
function canStartSystemd(): boolean {
	const files = ["/run/systemd/system", ...systemdFiles];
	if (isRoot || cgroupRoot !== "/sys/fs/cgroup" || !files.every(existsSync)) return false;
	const own = ownCgroup() ?? "/";
	return own !== "/" && newCgroupIs(join(cgroupRoot, own, ".."), () => true);
}

/** True when the number of processes in a new cgroup can be limited. */
function canLimitProcesses(): boolean {
	return newCgroupIs(pidsRoot, (path) => canWrite(join(path, "pids.max")));
}

/**
 * Returns the path of a cgroup in which this user may make groups with limits of memory, processors and processes: the root, or the parent
 * of the own one. Not one that systemd manages.
 */
export function groupWithLimits(needed = ["memory", "cpu", "pids"]): string | undefined {
	if (isRoot && existsSync("/run/systemd/system")) return undefined;
	const own = join(cgroupRoot ?? "", ownCgroup() ?? "");
	return [own, dirname(own)].find((path) => {
		if (cgroupRoot === undefined || !path.startsWith(cgroupRoot) || /\.slice$|\/user@\d+\.service$/.test(path))
			return false;
		const controllers = read(join(path, "cgroup.controllers")).trim().split(" ");
		const isFree = !existsSync(join(path, "cgroup.events")) || read(join(path, "cgroup.procs")) === "";
		const files = ["cgroup.procs", "cgroup.subtree_control"].map((name) => join(path, name));
		return needed.every((each) => controllers.includes(each)) && isFree && files.every(canWrite);
	});
}

/** Makes a cgroup and removes it. Returns what `usable` says of its path, or false if it cannot be made. */
function newCgroupIs(root: string | undefined, usable: (path: string) => boolean): boolean {
	if (root === undefined) return false;
	const path = join(root, `nearfar-probe-${process.pid}`);
	try {
		mkdirSync(path);
	} catch {
		return false;
	}
	const result = usable(path);
	rmdirSync(path);
	return result;
}

/** True when `/proc` shows one pid for this process. A `/proc` shows a pid for each pid namespace from its own down. */
function showsThisPidNamespace(): boolean {
	if (!has("/proc")) return false;
	using status = Task.near.run(() => openat2("/proc/self/status"));
	return /^NSpid:\t\d+$/m.test(`${status.read(4096)}`);
}

function canWrite(path: string): boolean {
	return works(() => accessSync(path, constants.W_OK) as never);
}

/** True when the innermost mount that holds a path is read-only. */
function isReadOnly(path: string): boolean {
	const mounts = [...read("/proc/self/mountinfo").matchAll(/^\S+ \S+ \S+ \S+ (\S+) (\S+)/gm)];
	const holding = mounts.filter(([, at = ""]) => at === "/" || path === at || path.startsWith(`${at}/`));
	const innermost = holding.sort(([, a = ""], [, b = ""]) => a.length - b.length).at(-1);
	return innermost?.[2]?.split(",").includes("ro") ?? false;
}

/** True when a mount other than the kernel's own file systems lies below. The kernel then refuses a new instance. */
function isPartlyHidden(path: string): boolean {
	const below = [...read("/proc/self/mountinfo").matchAll(/^\S+ \S+ \S+ \S+ (\S+) .* - (\S+)/gm)].filter(([, at]) =>
		at?.startsWith(`${path}/`),
	);
	const emptyPlaces = /^\/proc\/sys\/fs\/binfmt_misc$|^\/sys\/(fs|kernel|firmware)\//;
	return below.some(([, at = ""]) => !emptyPlaces.test(at));
}

function canExecuteIn(parent: string): boolean {
	const folder = mkdtempSync(join(parent, "nearfar-probe-"));
	const program = join(folder, "program");
	try {
		writeFileSync(program, "#!/bin/sh\n");
		chmodSync(program, 0o700);
		return spawnSync(program).status === 0;
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** Returns the limit of descriptors of this process. Node raises its soft limit to the hard limit when it starts. */
export function openFilesLimit(): number {
	return Number(/^Max open files\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1]);
}

/** Returns the number of processes that this user may have. Root may have as many as there are pids. */
function processLimit(): number {
	const most = (text: string | undefined) => (/^\d+$/.test(text ?? "") ? Number(text) : Number.POSITIVE_INFINITY);
	const limit = isRoot ? undefined : /^Max processes\s+(\S+)/m.exec(read("/proc/self/limits"))?.[1];
	return Math.min(most(limit), most(read("/proc/sys/kernel/pid_max").trim()), most(pidsMax()));
}

/** Returns the limit of the pids controller for this process, of cgroup v2 or v1. */
function pidsMax(): string | undefined {
	for (const [, controllers, path] of read("/proc/self/cgroup").matchAll(/^\d+:(.*):(.*)$/gm)) {
		if (controllers === "" && cgroupRoot) return read(join(cgroupRoot, path ?? "", "pids.max")).trim() || undefined;
		if (controllers?.split(",").includes("pids")) return read(`/sys/fs/cgroup/pids${path}/pids.max`).trim();
	}
	return undefined;
}
