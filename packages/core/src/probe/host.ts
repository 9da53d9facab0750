import { type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { numberOf } from "../files/descriptor.ts";
import { openat2 } from "../files/files.ts";
import { Location } from "../files/location.ts";
import { isOnProcfs } from "../files/own-proc.ts";
import { statx } from "../files/statx.ts";
import { namespaceLimitName } from "../obstacles/ask.ts";
import { parseMounts, parseStatus, type SeenMount, type Status, signsOfContainer } from "../obstacles/look.ts";
import type { ObstacleValues } from "../obstacles/obstacle.ts";
import { SyscallError } from "../syscall-error.ts";
import { readBounded } from "../target/read-bounded.ts";
import { nearTask } from "../target/target.ts";
import { type CgroupPlace, findCgroup } from "./cgroup.ts";
import type { Answer, Host } from "./features.ts";
import { type Tasks, Worker } from "./tasks.ts";

/** Facts that explain refusals, beside {@link Host}. */
export interface Facts {
	readonly host: Host;
	readonly cgroup: CgroupPlace;
	/** `undefined`: `/proc` does not show this process. */
	readonly status: Status | undefined;
	/** The mounts in sight. Empty: `/proc` does not show them. */
	readonly mounts: readonly SeenMount[];
	readonly uidMap: string;
	readonly gidMap: string;
	/** The state of `/proc`. `"ours"`: the procfs of this pid namespace. */
	readonly proc: "ours" | ObstacleValues["no-proc"]["found"];
	readonly uid: number;
	readonly gid: number;
	readonly capabilities: bigint;
	readonly kernel: string;
}

const PR_GET_SECCOMP = 21;
const modes = ["off", "strict", "filter"] as const;
const sysctls = [
	"kernel.unprivileged_userns_clone",
	"kernel.apparmor_restrict_unprivileged_userns",
	"kernel.apparmor_restrict_unprivileged_unconfined",
	"vm.memfd_noexec",
];

/** Reads what explains a refusal. Asks nothing that could be refused for another reason than the obstacle itself. */
export function readFacts(): Facts {
	return nearTask().run(() => {
		const text = read("/proc/self/status");
		const status = text === "" ? undefined : parseStatus(text);
		const kinds = Object.keys(namespaceFlags) as NamespaceKind[];
		const found = [...sysctls, ...kinds.map(limitName)]
			.map((name) => [name, read(`/proc/sys/${name.replaceAll(".", "/")}`).trim()] as const)
			.filter(([, value]) => value !== "");
		const values = Object.fromEntries(found);
		const limits = kinds.map((kind) => [kind, toNumber(values[limitName(kind)])]);
		const mounts = parseMounts(read("/proc/self/mountinfo"));
		const ownCgroup = read("/proc/self/cgroup");
		const cgroup = findCgroup(mounts, ownCgroup, read);
		const modules = read("/sys/kernel/security/lsm").trim();
		const mode = status?.seccomp ?? prctl(PR_GET_SECCOMP);
		const label = read("/proc/self/attr/current").replace(/[\0\n]+$/, "");
		const host: Host = {
			seccomp: modes[mode] ?? "off",
			seccompFilters: status?.filters,
			noNewPrivs: native().getNoNewPrivs(),
			lsm: modules ? modules.split(",") : undefined,
			label: label || undefined,
			chroot: undefined,
			container: findSigns(ownCgroup),
			cgroup: { version: cgroup.version, path: cgroup.path, controllers: cgroup.controllers },
			sysctls: values,
			limits: Object.fromEntries(limits) as Host["limits"],
		};
		const [capabilities = 0n] = native().capget(0);
		return {
			host,
			cgroup,
			status,
			mounts,
			uidMap: read("/proc/self/uid_map"),
			gidMap: read("/proc/self/gid_map"),
			proc: whatIsOnProc(),
			uid: native().geteuid(),
			gid: native().getegid(),
			capabilities,
			kernel: process.getBuiltinModule("node:os").release(),
		};
	});
}

/** Returns the name of the sysctl that limits a kind of namespaces. */
function limitName(kind: NamespaceKind): string {
	return namespaceLimitName(kind).replaceAll("/", ".");
}

function prctl(option: number): number {
	return Number(native().prctl(option, []).result);
}

function toNumber(text: string | undefined): number | undefined {
	return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * Returns the text of a file, or "" if it cannot be read. A path below `/proc` is read from a procfs only, apart from sysctls:
 * some runtimes of containers put their own there.
 */
export function read(path: string): string {
	const hasToBeProcfs = path.startsWith("/proc/") && !path.startsWith("/proc/sys/");
	return hasToBeProcfs && !isProcfs(path) ? "" : readBounded(path);
}

function isProcfs(path: string): boolean {
	try {
		using file = openat2(path, { flags: ["path"] });
		return isOnProcfs(file);
	} catch (error) {
		if (error instanceof SyscallError) return false;
		throw error;
	}
}

function whatIsOnProc(): Facts["proc"] {
	try {
		using proc = openat2("/proc", { flags: ["path", "directory"] });
		if (!isOnProcfs(proc)) {
			return isEmpty() ? "nothing" : "another file system";
		}
		const self = native().readlinkat(proc.fd, "self", 32).toString();
		return Number(self) === process.pid ? "ours" : "an outer pid namespace";
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		// A procfs of a pid namespace that does not have this process has no `self`.
		return error.syscall === "readlinkat" ? "another pid namespace" : "nothing";
	}
}

function isEmpty(): boolean {
	try {
		return process.getBuiltinModule("node:fs").readdirSync("/proc").length === 0;
	} catch {
		return false; // a folder that may not be read has been put there
	}
}

function findSigns(cgroup: string): string[] {
	const inside = /^\d+:[^:]*:(.*(?:docker|kubepods|containerd|libpod|crio|lxc).*)$/m.exec(cgroup)?.[1];
	return [...signsOfContainer(), ...(inside ? [`cgroup ${inside}`] : [])];
}

/**
 * Returns whether this process is in a chroot.
 *
 * The kernel makes no user namespace in a chroot, so one that was made is an answer. Otherwise `/` is no mount root in a chroot;
 * or, with privilege, a task enters its own mount namespace again: the task then has the root directory of the namespace, and
 * `..` of the former root directory leads to another mount.
 *
 * @param user - Whether a user namespace could be made.
 */
export async function findChroot(tasks: Tasks, user: Answer): Promise<boolean | undefined> {
	if (user.works) return false;
	if (nearTask().run(isBelowMountRoot)) return true;
	const worker = new Worker(tasks);
	const answer = await worker.attempt("openat2", () => {
		using root = openat2("/", { flags: ["path", "directory"] });
		using namespace = openat2("/proc/thread-self/ns/mnt", { flags: ["nonblock", "noctty"] });
		native().setns(numberOf(namespace), namespaceFlags.mnt);
		openat2(new Location(root, ".."), { flags: ["path"], resolve: ["noXdev"] }).close();
	});
	await worker.end();
	return answer.works ? false : answer.code === "EXDEV" ? true : undefined;
}

/** True when `/` is no mount root. */
function isBelowMountRoot(): boolean {
	try {
		return statx("/").attributes.mountRoot === false;
	} catch (error) {
		if (error instanceof SyscallError) return false; // a filter that does not know statx(2)
		throw error;
	}
}
