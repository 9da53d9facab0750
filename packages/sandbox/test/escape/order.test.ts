import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { folder } from "../attempts.ts";

/** A line of strace: the calls of all processes, in the order in which they begin. */
interface Line {
	readonly at: number;
	readonly pid: string;
	readonly text: string;
}

let lines: Line[];
/** The calls of process 1 of the sandbox, and of the task that becomes the command. */
let first: Line[];
let command: Line[];

/** Opening a source. A strace that does not know open_tree_attr(2) shows its number. */
const source = / (open_tree\(AT_FDCWD, "\/|open_tree_attr\(AT_FDCWD, "\/|syscall_0x1d3\(0xf+9c,)/;

/** Returns when a call begins for the first time. */
function begin(of: readonly Line[], call: RegExp): number {
	const found = of.find(({ text }) => call.test(text));
	if (!found) throw new Error(`no call is ${call}`);
	return found.at;
}

function end(of: readonly Line[], call: RegExp): number {
	return begin(of.toReversed(), call);
}

/** Expects that one thing has ended before the next begins. */
function expectOrder(...places: readonly (readonly [name: string, at: number])[]): void {
	const sorted = places.toSorted(([, one], [, other]) => one - other);
	expect(sorted.map(([name]) => name)).toEqual(places.map(([name]) => name));
}

const traces = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0;

beforeAll(() => {
	if (!traces || !isRoot) return;
	const at = folder();
	for (const name of ["hidden", "protected", "work"]) mkdirSync(join(at, name));
	const file = join(at, "trace");
	const node = [process.execPath, fixturePath("sandbox/once"), at];
	const { status, stderr } = spawnSync("strace", ["-f", "-s", "200", "-o", file, ...node], { encoding: "utf8" });
	if (status !== 0) throw new Error(stderr);
	const texts = readFileSync(file, "utf8").split("\n");
	lines = texts.map((text, index) => ({
		at: index,
		pid: /^\d+/.exec(text)?.[0] ?? "",
		text: text.replace(" <unfinished ...>", ""),
	}));
	const of = (call: RegExp) => lines.find(({ text }) => call.test(text))?.pid;
	first = lines.filter(({ pid }) => pid === of(/ pivot_root\(/));
	command = lines.filter(({ pid }) => pid === of(/ execve\(.*\["true"\]/));
}, 120_000);

/** Declares a test of the trace. A task is not dumpable, and an ordinary user cannot read what it hands to the kernel. */
function traced(name: string, check: () => void): void {
	needs("the program strace", "root").test(name, () => {
		skipUnless(traces, "programs may be traced");
		check();
	});
}

traced("the sources are opened before the old root goes, and places are looked up when it is gone", () => {
	expectOrder(
		["the mounts are private", end(first, / mount\(NULL, "\/", NULL, MS_REC\|MS_PRIVATE/)],
		["the first source", begin(first, source)],
		["the last source", end(first, source)],
		["proc", begin(first, / fsopen\("proc"/)],
		["ids", begin(first, / setresuid\(0, 0, 0/)],
		["pivot_root", begin(first, / pivot_root\("\.", "\."/)],
		["the old root goes", begin(first, / umount2\("\.", MNT_DETACH/)],
		["the first place", begin(first, / mkdirat\(/)],
		["the last place", end(first, / move_mount\(/)],
		["host name", begin(first, / sethostname\(/)],
		["loopback", begin(first, / ioctl\(\d+, SIOCSIFFLAGS/)],
		["no_new_privs", begin(first, / prctl\(PR_SET_NO_NEW_PRIVS, 1/)],
		["the user namespace of the command", begin(first, / clone.*CLONE_NEWUSER/)],
	);
});

traced("CVE-2026-87766 CVE-2026-41579 without an old root no path is looked up but from descriptors", () => {
	const pivot = begin(first, / pivot_root\(/);
	const later = first.filter(({ at, text }) => at > pivot && !/ (symlinkat|sendmsg|recvmsg|<\.\.\.)/.test(text));
	const named = later
		.filter(({ text }) => /AT_FDCWD|\("\//.test(text))
		.map(({ text }) => /\S+ +(\S+\([^,)]*)/.exec(text)?.[1]);
	expect([...new Set(named)].toSorted()).toEqual(['chdir("/"']);
	const opened = later.filter(({ text }) => / openat2\(/.test(text));
	expect(opened.length).toBeGreaterThan(10);
	expect(opened.filter(({ text }) => !/O_EXCL|RESOLVE_NO_MAGICLINKS.*RESOLVE_IN_ROOT/.test(text))).toEqual([]);
});

traced("CVE-2019-12439 nothing is made on the host, and no name of a shared folder is used", () => {
	const pivot = begin(first, / pivot_root\(/);
	const calls =
		/ (mkdir|mkdirat|mknod|mknodat|symlink|symlinkat|link|linkat|rename|renameat2?|unlink|unlinkat|rmdir)\(|O_CREAT/;
	const made = lines.filter(({ pid, at, text }) => calls.test(text) && !(pid === first[0]?.pid && at > pivot));
	expect(made).toEqual([]);
});

traced("CVE-2014-9357 the sandbox loads no file of what it shows", () => {
	const executed = end(command, / execve\(.*\["true"\]/);
	const opened = [...first, ...command].flatMap(({ at, text }) => {
		const [, path = ""] = / (?:open|openat|openat2)\([^"]*"([^"]*)"/.exec(text) ?? [];
		return path === "" || at > executed || /O_PATH|O_EXCL/.test(text) ? [] : [path];
	});
	// Files of its own procfs, and a device.
	const own = ["sys/user/max_user_namespaces", "self/setgroups", "self/gid_map", "self/uid_map", "/dev/null"];
	expect(opened.filter((path) => !own.includes(path))).toEqual([]);
});

traced("the command gives everything up before its filter, and the filter is last", () => {
	const executed = end(command, / execve\(.*\["true"\]/);
	expectOrder(
		["not dumpable", begin(command, / prctl\(PR_SET_DUMPABLE, SUID_DUMP_DISABLE/)],
		["session", begin(command, / setsid\(/)],
		["capabilities", begin(command, / capset\(/)],
		["filter", begin(command, / seccomp\(SECCOMP_SET_MODE_FILTER/)],
		["execve", executed],
	);
	const filter = begin(command, / seccomp\(/);
	const between = command.filter(({ at, text }) => at > filter && at < executed && !/ (execve\(|<\.\.\.)/.test(text));
	expect(between).toEqual([]);
	for (const call of [
		/ prctl\(PR_SET_SECUREBITS/,
		/ close_range\(\d+, 4294967295/,
		/ chdir\(/,
		/ (prlimit64|setrlimit)\(.*RLIMIT_CORE/,
	])
		expect(begin(command, call)).toBeLessThan(filter);
});

traced(
	"process 1 supervises before the command executes anything, and nobody has given it a descriptor of the host",
	() => {
		const executed = begin(command, / execve\(/);
		expect(begin(first, / signalfd4?\(/)).toBeLessThan(executed);
		expect(end(first, / close_range\(\d+, 4294967295/)).toBeLessThan(executed);
	},
);
