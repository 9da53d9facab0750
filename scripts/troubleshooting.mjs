// Writes docs/troubleshooting.md from the table of obstacles of @nearfar/core. The table has the sentences and the fixes; this
// script adds what a user sees, and values such as a machine has them. The test beside this script compares the page.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

const table = join(root, "packages/core/src/obstacles/obstacle.ts");
/** The file that the page is in. */
export const page = join(root, "docs/troubleshooting.md");

/** For each obstacle: what a user sees, and values as a machine has them. */
const examples = {
	"no-proc": {
		see: "`ENOENT`, with a path below `/proc`: from `Task.clone` with an `idMap`, from `task.supervise`. `Namespace.current` works by a pidfd instead (Linux 6.11).",
		values: { found: "nothing" },
	},
	chroot: {
		see: '`EPERM` of `clone` or `unshare` with `"user"`, for root as well.',
		values: {},
	},
	"unprivileged-userns-clone": {
		see: '`EPERM` of `clone` or `unshare` with `"user"` for an ordinary user, on Debian and kernels that take its patch. Root is not refused.',
		values: { value: "0" },
	},
	"userns-limit": {
		see: '`ENOSPC`, "no space left on device", of `clone` or `unshare`, while every disk has space. Older kernels say `EUSERS`.',
		values: { kind: "user", file: "/proc/sys/user/max_user_namespaces", limit: "0" },
	},
	nesting: {
		see: '`ENOSPC`, "no space left on device", of `clone` or `unshare`, in a namespace in a namespace and so on.',
		values: { kind: "user" },
	},
	"unmapped-ids": {
		see: '`EPERM` of `clone` or `unshare` with `"user"` inside of a user namespace. `id` shows 65534, nobody.',
		values: { ids: ["uid 1000"], uidMap: "0 100000 1000", gidMap: "0 100000 65536" },
	},
	"apparmor-userns": {
		see: "The user namespace is made. Then `EPERM` or `EACCES` of the first act in it: `mount`, `sethostname`, bringing `lo` up, writing a map. Ubuntu from 23.10 on.",
		values: { value: "1", label: "unconfined" },
	},
	seccomp: {
		see: "`EPERM` of `clone`, `unshare`, `setns` or `mount` in a container, whoever calls. Or `ENOSYS` of calls that the kernel has.",
		values: { filters: "1", call: "unshare(2)", code: "EPERM", kinds: ["user"] },
	},
	"masked-proc": {
		see: "`EPERM` of `mount` of a `proc` in a task with its own user and pid namespace, mostly inside of a container.",
		values: { fstype: "proc", covers: ["/proc/kcore", "/proc/sys"] },
	},
	"read-only-sys": {
		see: "`EPERM` of `mount` of a `sysfs` in a task with its own user and network namespace, mostly inside of a container.",
		values: { path: "/sys" },
	},
	"hidden-clone3": {
		see: '`ENOSYS` of `clone3`, from `Task.clone` with `"time"`, `cgroup` or `setTid`, while other tasks are cloned.',
		values: {},
	},
	"memfd-noexec": {
		see: "`EACCES` of `memfd_create` or of the execution of a memory file.",
		values: { value: "2" },
	},
	"helper-missing": {
		see: "`ENOENT` of `execve`, for newuidmap or newgidmap, from `Task.clone` with ranges of ids.",
		values: { helper: "newuidmap", path: "/usr/local/bin:/usr/bin:/bin" },
	},
	"helper-not-setuid": {
		see: "An `IdMapHelperError` with `Could not set caps` or `write to uid_map failed`, from `Task.clone` with ranges of ids.",
		values: { helper: "newuidmap", path: "/usr/bin/newuidmap", reason: "no bit" },
	},
	"no-new-privs": {
		see: "An `IdMapHelperError` with `Could not set caps`, `write to uid_map failed` or `open of gid_map failed: Permission denied`, although the helper has its bit.",
		values: {},
	},
	"bounding-set": {
		see: "`EPERM` for root, or from a set-user-id program, as in the default of docker.",
		values: { missing: ["CAP_SYS_ADMIN"], bounding: "00000000a80425fb" },
	},
	"no-subordinate-ids": {
		see: "An `IdMapHelperError` with `uid range […) -> […) not allowed`, or empty lists of `subordinateIds()`.",
		values: { user: "anna", files: ["/etc/subuid", "/etc/subgid"] },
	},
	"cgroup-v1": {
		see: "`ENOENT` for files such as `memory.max` in a folder of cgroup v2, or no mount of the type `cgroup2` at all.",
		values: { controllers: ["cpu", "memory", "pids"], unified: "/sys/fs/cgroup/unified" },
	},
	"cgroup-not-delegated": {
		see: "`EACCES` or `EROFS` of `mkdir` below `/sys/fs/cgroup`, or of `clone3` with `cgroup`.",
		values: { path: "/sys/fs/cgroup/user.slice/session-1.scope", code: "EACCES", uid: 1000 },
	},
	"not-in-kernel": {
		see: "`ENOSYS`, or `EINVAL`, `ENOTTY` or `EOPNOTSUPP` for a flag or a request that the man page has.",
		values: { calls: [["listns(2)", "6.19"]], kernel: "6.12.0" },
	},
	"no-capability": {
		see: '`EPERM` of `clone`, `unshare` or `Task.thread` without `"user"`, for an ordinary user, or for root in a container.',
		values: { capability: "CAP_SYS_ADMIN", effective: "0000000000000000", kinds: ["net"] },
	},
	unknown: {
		see: "An error that none of the sections above explains.",
		values: { syscall: "mount", code: "EACCES" },
	},
};

/** Returns the page. */
export async function troubleshooting() {
	const { obstacle, obstacleNames } = await import(toUrl(table));
	const missing = obstacleNames.filter((name) => !Object.hasOwn(examples, name));
	if (missing.length > 0) throw new Error(`scripts/troubleshooting.mjs has no example of ${missing.join(", ")}`);
	const sections = obstacleNames.map((name) => {
		const { see, values } = examples[name];
		const here = obstacle(name, values);
		const inContainer = obstacle(name, values, { container: true }).fix.filter((fix) => !here.fix.includes(fix));
		const [narrow, ...broad] = here.fix;
		return [
			`## ${name}`,
			`**What you see.** ${see}`,
			`**Why.** ${here.sentence}${here.certain ? "" : " `probe` and `hint` infer that: nothing in the system says so."}`,
			`**The narrow fix:** ${toText(narrow)}`,
			...(broad.length > 0 ? [`**The broad fix:** ${broad.map(toText).join("; or ")}`] : []),
			...(inContainer.length > 0 ? [`**In a container:** ${inContainer.map(toText).join("; or ")}`] : []),
		].join("\n\n");
	});
	return `${[head, ...sections].join("\n\n")}\n`;
}

const head = `# Troubleshooting

<!-- Written by scripts/troubleshooting.mjs from packages/core/src/obstacles/obstacle.ts. -->

What stands in the way of namespaces, mounts and tasks, and what to do about it. Three places have the same names and sentences:
\`probe()\` of \`@nearfar/core\` tries everything and lists what it has found, the \`hint\` of a \`SyscallError\` explains one refusal,
and this page explains each obstacle. The values below are examples: \`probe()\` and \`hint\` show those of your machine.

\`\`\`ts
import { probe } from "@nearfar/core";

console.log(\`\${await probe()}\`);
\`\`\`

Obstacles that prevent most come first. A fix that begins with "as the administrator" needs root on the machine, or in the user namespace
that has the setting.`;

/** The programs that fixes run, with their arguments: a command ends before the prose that follows, and quotes hold what they hold. */
const command =
	/(?<![\w`])(?:apparmor_parser|chown|echo|lsns|mount|printf|setcap|setpriv|sysctl|systemd-run|umount|unshare|usermod) (?!the )(?:'[^']*'|[,:](?! )|[^,;':`])+(?=[,;]|$)/g;
/** A call in TypeScript, with one pair of brackets inside at most. */
const call = /(?<![\w`.])[A-Za-z][\w.]*\((?:[^()]|\([^()]*\))*[{"](?:[^()]|\([^()]*\))*\)/g;

/** Returns a fix as Markdown. Commands and calls are spans of code, which can be copied as they are. */
function toText(fix) {
	const text = fix.replaceAll(process.execPath, "/usr/bin/node");
	return text.replaceAll(command, (found) => `\`${found.trimEnd()}\``).replaceAll(call, (found) => `\`${found}\``);
}

/** Returns a URL of a source as JavaScript, and of what it imports, because not every Node runs TypeScript. */
function toUrl(file) {
	const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
		compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
	});
	const whole = outputText.replace(/ from "(\.[^"]+)"/g, (_, path) => ` from "${toUrl(join(dirname(file), path))}"`);
	return `data:text/javascript,${encodeURIComponent(whole)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, await troubleshooting());
