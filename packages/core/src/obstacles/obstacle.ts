// The one table of what can stand in the way of namespaces and tasks. `probe()` makes its report from the table, and the hints
// of errors have the same sentences. Nothing is read here: every value in a sentence was read by the caller.
import type { NamespaceKind } from "../addon/flags.generated.ts";
import { shellWord } from "../shell-word.ts";

/** The values that the sentence and the fixes of each obstacle are made of. A value that is absent could not be read. */
export interface ObstacleValues {
	/** A call needs a capability that is not effective. `kinds`: the namespaces that were refused, if the call makes any. */
	"no-capability": {
		capability: string;
		effective?: string;
		kinds?: readonly string[];
		prevents?: string;
		/** True when a new user namespace is refused as well, so that "user" is no way out. */
		withoutUser?: boolean;
	};
	/**
	 * `file` has the limit, `limit` is its text. A limit other than 0 is used up, unless `above`: then a user namespace above has the
	 * limit. `writable`: this process is root of a user namespace of its own, and may write the file.
	 */
	"userns-limit": { kind: NamespaceKind; file: string; limit: string; above?: boolean; writable?: boolean };
	/** The kind of namespace that is nested too deep: `"user"` or `"pid"`. `limit`: the limit that is not reached, if the depth is inferred. */
	nesting: { kind: NamespaceKind; limit?: string };
	"unprivileged-userns-clone": { value: string };
	/** `value` is the text of the sysctl, `label` the AppArmor label of the process. */
	"apparmor-userns": { value: string; label?: string };
	/** `filters` is the number of filters, `call` the call that was refused, `code` its error. */
	seccomp: { filters?: string; call?: string; code?: string; kinds?: readonly string[] };
	/** `root` is what mountinfo says of `/`, if `/` is no mount point there. `inferred`: everything else that refuses was ruled out. */
	chroot: { root?: string; inferred?: boolean };
	/** The ids that the user namespace of the process does not map, as in `uid 1000`, and the maps. */
	"unmapped-ids": { ids: readonly string[]; uidMap?: string; gidMap?: string };
	/** The capabilities that the bounding set lacks, and the set as in `status`. */
	"bounding-set": { missing: readonly string[]; bounding?: string; prevents?: string };
	/** The calls that the kernel does not know, each with the first Linux that has it. `filtered`: a seccomp filter is active. */
	"not-in-kernel": { calls: readonly (readonly [call: string, since?: string])[]; kernel?: string; filtered?: boolean };
	/** The file system that cannot be mounted, and the mount points that cover parts of the mounted one. */
	"masked-proc": { fstype: "proc" | "sysfs"; covers: readonly string[]; readOnly?: boolean };
	/** The mount point of the read-only sysfs. */
	"read-only-sys": { path: string };
	/** What is at `/proc`: nothing, another file system, or the procfs of another pid namespace. */
	"no-proc": { found: "nothing" | "another file system" | "another pid namespace" | "an outer pid namespace" };
	/** `options` are the ones of `Task.clone` that need clone3. */
	"hidden-clone3": { options?: readonly string[] };
	"memfd-noexec": { value: string };
	/** What the process cannot do: for example run newuidmap with its privilege. */
	"no-new-privs": { prevents?: string };
	"helper-missing": { helper: string; path?: string };
	/** `reason`: the file has neither bit nor capability, its owner is not root or has no id in this user namespace, or its mount is nosuid. */
	"helper-not-setuid": {
		helper: string;
		path: string;
		reason: "no bit" | "not root's" | "owner not mapped" | "nosuid mount";
		mountPoint?: string;
	};
	/** `user` is the login name or the uid, `files` are those that have no line for the user. */
	"no-subordinate-ids": { user: string; files: readonly string[] };
	/** `controllers` are those that lie in cgroup v1 hierarchies. */
	"cgroup-v1": { controllers: readonly string[]; unified?: string };
	/** `path` is the folder of the cgroup, `code` the error of the call that was refused there. */
	"cgroup-not-delegated": { path: string; code?: string; uid?: number };
	unknown: { syscall?: string; code?: string; prevents?: string };
}

/** What can stand in the way, most important first. */
export type ObstacleName = keyof ObstacleValues;

/** What stands in the way of something, as {@link probe} has found it. */
export interface Obstacle {
	/** The name of the obstacle, which does not change between releases. */
	readonly name: ObstacleName;
	/** What was found, where, and what it prevents. */
	readonly sentence: string;
	/** Commands or settings that remove the obstacle: the one that changes least comes first. */
	readonly fix: string[];
	/** The file, the sysctl or the call that the value comes from. */
	readonly source?: string;
	/** What was read there. */
	readonly value?: string;
	/** False where the obstacle is inferred, because nothing says so and everything else was ruled out. */
	readonly certain: boolean;
}

/** What an entry of the table makes of the values. */
interface Described {
	sentence: string;
	/** The narrow fix first. */
	fix: string[];
	/** The fixes that come first inside a container: options of whoever starts the container. */
	inContainer?: string[];
	source?: string;
	value?: string;
	/** False for what is always inferred. */
	certain?: boolean;
}

type Table = { readonly [Name in ObstacleName]: (values: ObstacleValues[Name]) => Described };

/** Where the process runs, which decides the fixes. */
export interface Surroundings {
	/** True when there are signs of a container. */
	readonly container?: boolean;
	/** False where the obstacle was inferred. Default: as the table says, which is true for most. */
	readonly certain?: boolean;
}

/** Lists names in a sentence. The formatter is made when the first sentence needs it: making it on import would take as long as the rest. */
const list = {
	format(names: Iterable<string>): string {
		formatter ??= new Intl.ListFormat("en");
		return formatter.format(names);
	},
};
let formatter: Intl.ListFormat | undefined;
const inNamespaces = 'Task.clone({ namespaces: ["user", …], idMap: "root" })';
/** What newuidmap(1) of Debian, Fedora and Alpine lies in. */
const packages = "the package `uidmap` (Debian, Ubuntu), `shadow-utils` (Fedora) or `shadow-uidmap` (Alpine)";

/** Marks a fix that only the administrator of the machine can make. */
function asRoot(command: string): string {
	return `as the administrator: ${command}`;
}

const program = () => process.execPath;

const table: Table = {
	"no-proc": ({ found }) => ({
		sentence: {
			nothing:
				"Nothing is mounted on /proc: namespaces cannot be opened by path, and the maps of ids cannot be written.",
			"another file system":
				"What is mounted on /proc is no procfs: namespaces cannot be opened by path, and the maps of ids cannot be written.",
			"another pid namespace":
				"The procfs on /proc belongs to another pid namespace and does not show this process: namespaces cannot be opened by path, and the maps of ids cannot be written.",
			"an outer pid namespace":
				"The procfs on /proc belongs to an outer pid namespace and shows this process by another number: programs that look for a pid there, such as newuidmap, find another process or none.",
		}[found],
		fix: ["mount -t proc proc /proc, in the pid namespace of this process, before Node starts"],
		inContainer: ["start the container with its own /proc, which is the default of docker, podman and Kubernetes"],
		source: "/proc",
		value: found,
	}),
	chroot: ({ root, inferred }) => ({
		sentence: inferred
			? "Neither a limit, a sysctl, a filter nor the id maps explain the refusal: the root directory of this process is probably a mount that is not the root of its mount namespace, as after chroot(2) into a mount point, and no new user namespace can be made, by root neither."
			: `The root directory of this process is not the root of its mount namespace${root === undefined ? "" : ` (${root} in /proc/self/mountinfo)`}, as after chroot(2): no new user namespace can be made, by root neither.`,
		fix: [
			"enter the directory by pivot_root(2) in a mount namespace of its own instead of chroot: unshare --mount, mount --rbind DIR DIR, pivot_root; systemd's RootDirectory= and bwrap do so",
			"start this program outside of the chroot",
		],
		source: "/proc/self/mountinfo",
		...(root !== undefined && { value: root }),
		certain: !inferred,
	}),
	"unprivileged-userns-clone": ({ value }) => ({
		sentence: `kernel.unprivileged_userns_clone is ${value}: a process without CAP_SYS_ADMIN cannot make a user namespace.`,
		fix: [
			asRoot(
				`start this program with the capability: setpriv --ambient-caps +sys_admin --inh-caps +sys_admin ${program()} …`,
			),
			asRoot("sysctl -w kernel.unprivileged_userns_clone=1"),
		],
		inContainer: [asRoot("on the host of the container: sysctl -w kernel.unprivileged_userns_clone=1")],
		source: "/proc/sys/kernel/unprivileged_userns_clone",
		value,
	}),
	"userns-limit": ({ kind, file, limit, above, writable }) => {
		const name = file.split("/").at(-1) ?? file;
		const [own, most] = [`user.${name}`, kind === "user" ? "user namespace" : `${kind} namespace`];
		const used = above
			? `is ${limit} and is not used up, so that the limit of a user namespace above is`
			: `is ${limit}, and this user has that many`;
		const reached = limit === "0" ? "is 0" : used;
		const here = writable && !above ? [`as root of this user namespace, in the task itself: echo 10000 > ${file}`] : [];
		return {
			sentence: `${own} ${reached} (${file}, of this user namespace): no new ${most} can be made. "No space left on device" means this limit, and no disk.`,
			fix: [
				...here,
				...(limit === "0" ? [] : [`end processes of this user that hold ${most}s: lsns --type ${kind} lists them`]),
				asRoot(`sysctl -w ${own}=10000, in the user namespace that has the limit`),
			],
			inContainer: [
				...here,
				asRoot(`on the host of the container, or where its user namespace is made: sysctl -w ${own}=10000`),
			],
			source: file,
			value: limit,
		};
	},
	nesting: ({ kind, limit }) => ({
		sentence: `${limit === undefined ? "This process is" : `user.max_${kind}_namespaces is ${limit} here and is not used up: either the limit of a user namespace above is, as in a sandbox that forbids further ones, or this process is`} 32 ${kind} namespaces deep, which is the most that the kernel nests: no ${kind} namespace can be made in the innermost. "No space left on device" means ${limit === undefined ? "the depth" : "one of the two"}, and no disk.`,
		fix: [
			...(limit === undefined
				? []
				: ["start this program outside of the sandbox, or in one that allows user namespaces"]),
			`make the namespace from a process that is less deep: clone tasks side by side by Task.clone(), instead of each from the one before`,
		],
		certain: false,
	}),
	"unmapped-ids": ({ ids, uidMap, gidMap }) => ({
		sentence: `The user namespace of this process does not map its ${list.format(ids)}${mapsText(uidMap, gidMap)}: a process without mapped ids cannot make another user namespace.`,
		fix: [
			uidMap?.trim() === "" || gidMap?.trim() === ""
				? "write the maps first: writeIdMap(task, { uids, gids }), or the option idMap of Task.clone"
				: "set mapped ids first, the group before the user: setresgid(gid, gid, gid), then setresuid(uid, uid, uid), with ids that the maps have inside",
			"map the ids when the user namespace is made: its /proc/PID/uid_map and gid_map can be written once",
		],
		source: ids.some((id) => id.startsWith("uid")) ? "/proc/self/uid_map" : "/proc/self/gid_map",
		value: list.format(ids),
	}),
	"apparmor-userns": ({ value, label }) => ({
		sentence: `kernel.apparmor_restrict_unprivileged_userns is ${value}${label === undefined ? "" : ` and the AppArmor label of this process is ${label}`}: a new user namespace gets no capabilities, so that mounts, networks and host names in it are refused.`,
		fix: [
			asRoot(
				`give this Node a profile: printf '%s\\n' 'abi <abi/4.0>,' 'include <tunables/global>' 'profile node-userns ${program()} flags=(unconfined) { userns, }' > /etc/apparmor.d/node-userns && apparmor_parser -r /etc/apparmor.d/node-userns`,
			),
			asRoot("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
		],
		inContainer: [
			"start the container with a profile that has the rule `userns,`: --security-opt apparmor=PROFILE, in Kubernetes securityContext.appArmorProfile",
			asRoot("on the host of the container: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
		],
		source: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		value,
	}),
	seccomp: ({ filters, call, code, kinds }) => ({
		sentence: `A seccomp filter is active (Seccomp: 2 in /proc/self/status${filters === undefined ? "" : `, ${filters} of them`}), and nothing else explains the ${code ?? "refusal"} of ${call ?? "the call"}: the filter probably refuses ${kinds?.length ? `new namespaces (${kinds.join(", ")})` : "the call"}, as the one of a container does.`,
		fix: [
			"whoever starts this process allows clone, clone3, unshare, setns and mount in its filter: SystemCallFilter= and RestrictNamespaces= of the systemd unit",
		],
		inContainer: [
			"start the container with a filter that allows clone, clone3, unshare, setns and mount: --security-opt seccomp=PROFILE.json, in Kubernetes securityContext.seccompProfile of the type Localhost",
			"start the container without a filter: --security-opt seccomp=unconfined, in Kubernetes securityContext.seccompProfile.type: Unconfined",
		],
		source: "/proc/self/status",
		value: `Seccomp: 2${filters === undefined ? "" : `, Seccomp_filters: ${filters}`}`,
		certain: false,
	}),
	"masked-proc": ({ fstype, covers, readOnly }) => {
		const path = fstype === "proc" ? "/proc" : "/sys";
		const covered = covers.length > 0 ? `Mounts cover ${list.format(covers)}` : undefined;
		const costs =
			fstype === "proc"
				? "/proc/self then shows the outer pid, and other processes of the outer pid namespace stay visible"
				: "/sys/class/net then shows the outer network namespace";
		const bind = `bind ${path} into the new root instead of mounting a new ${fstype}: mount("${path}", "…", null, { flags: ["bind", "rec"] }); ${costs}`;
		const state = covered ?? (readOnly ? `${path} is mounted read-only` : `No ${fstype} is mounted in sight`);
		return {
			sentence: `${state}: a task with a user namespace of its own cannot mount a new ${fstype}, which would show what is hidden here.`,
			fix: [bind, ...(covers.length > 0 ? [asRoot(`umount ${covers.map(shellWord).join(" ")}`)] : [])],
			inContainer: [
				bind,
				`start the container with ${path} unmasked: podman --security-opt unmask=ALL, docker --security-opt systempaths=unconfined, in Kubernetes securityContext.procMount: Unmasked`,
				"start the container with --privileged",
			],
			source: "/proc/self/mountinfo",
			value: covers.join(" "),
		};
	},
	"read-only-sys": ({ path }) => ({
		sentence: `The sysfs on ${path} is mounted read-only: a task with a user namespace of its own can mount a sysfs with "ro" only.`,
		fix: ['mount the new sysfs with the flag "ro"', asRoot(`mount -o remount,rw ${shellWord(path)}`)],
		inContainer: [
			'mount the new sysfs with the flag "ro"',
			"start the container with --privileged, or podman --security-opt unmask=ALL",
		],
		source: "/proc/self/mountinfo",
		value: path,
	}),
	"hidden-clone3": ({ options }) => ({
		sentence: `clone3(2) is ENOSYS and clone(2) works: a seccomp filter hides clone3, so that ${options?.length ? `${list.format(options)} of Task.clone cannot be used` : 'Task.clone has no "time", `cgroup` and `setTid`'}.`,
		fix: [
			'leave the options out: unshare(["time"]) in the task makes a time namespace without clone3',
			"whoever starts this process allows clone3 in its seccomp filter",
		],
		inContainer: [
			'leave the options out: unshare(["time"]) in the task makes a time namespace without clone3',
			"start the container with a filter that allows clone3: --security-opt seccomp=PROFILE.json",
		],
		source: "clone3",
		value: "ENOSYS",
	}),
	"memfd-noexec": ({ value }) => ({
		sentence: `vm.memfd_noexec is ${value}, in this pid namespace: memory files cannot be executed${value === "2" ? ", and an executable one cannot be made" : " unless they ask for it"}.`,
		fix: [
			"keep the files of @nearfar/core unpacked on a mount without noexec: the task program beside the addon is executed from there",
			asRoot(
				"sysctl -w vm.memfd_noexec=0, in this pid namespace; a pid namespace made later has the same value or a higher one",
			),
		],
		source: "/proc/sys/vm/memfd_noexec",
		value,
	}),
	"helper-missing": ({ helper, path }) => ({
		sentence: `${helper} is not found in ${path ?? "PATH"}: an ordinary user cannot map more than its own id.`,
		fix: ['map one id: idMap: "root" or "identity" needs no helper', asRoot(`install ${packages}`)],
		inContainer: ['map one id: idMap: "root" or "identity" needs no helper', `install ${packages} in the image`],
		source: "PATH",
		...(path !== undefined && { value: path }),
	}),
	"helper-not-setuid": ({ helper, path, reason, mountPoint }) => {
		const capability = helper === "newgidmap" ? "cap_setgid" : "cap_setuid";
		const nosuid = reason === "nosuid mount";
		const found = {
			"no bit": `${path} has neither the set-user-id bit nor the file capability ${capability}`,
			"not root's": `${path} has the set-user-id bit, and does not belong to root`,
			"owner not mapped": `${path} has the set-user-id bit, and the user namespace of this process does not map its owner (shown as uid 65534), so that the kernel ignores the bit`,
			"nosuid mount": `${path} lies on a mount with nosuid${mountPoint ? ` (${mountPoint})` : ""}`,
		}[reason];
		const file = shellWord(path);
		const bit = `chown root ${file} && chmod u+s ${file}`;
		return {
			sentence: `${found}: ${helper} gets no privilege, and an ordinary user cannot map more than its own id.`,
			fix: nosuid
				? [asRoot(`mount -o remount,suid ${mountPoint ? shellWord(mountPoint) : "of that place"}`)]
				: reason === "owner not mapped"
					? [
							'map one id: idMap: "root" or "identity" needs no helper',
							`let a process outside of this user namespace write the map: writeIdMap(…, { by })`,
						]
					: [asRoot(`setcap ${capability}=ep ${file}`), asRoot(bit)],
			...(!nosuid &&
				reason !== "owner not mapped" && {
					inContainer: [`in the image: setcap ${capability}=ep ${file}`, `in the image: ${bit}`],
				}),
			source: path,
			value: reason,
		};
	},
	"no-new-privs": ({ prevents }) => ({
		sentence: `no_new_privs is set (NoNewPrivs: 1 in /proc/self/status): set-user-id programs and programs with file capabilities get no privilege, so that ${prevents ?? "newuidmap and newgidmap cannot map ids"}.`,
		fix: [
			'map one id: idMap: "root" or "identity" needs no helper',
			"whoever starts this process leaves no_new_privs off: NoNewPrivileges=no in the systemd unit. A process cannot clear it",
		],
		inContainer: [
			'map one id: idMap: "root" or "identity" needs no helper',
			"start the container without --security-opt no-new-privileges, in Kubernetes with securityContext.allowPrivilegeEscalation: true",
		],
		source: "/proc/self/status",
		value: "NoNewPrivs: 1",
	}),
	"bounding-set": ({ missing, bounding, prevents }) => ({
		sentence: `The bounding set lacks ${list.format(missing)}${bounding === undefined ? "" : ` (CapBnd: ${bounding} in /proc/self/status)`}: no program that this process executes gets these, set-user-id ones neither, so that ${prevents ?? "root and newuidmap are refused as well"}.`,
		fix: [
			`whoever starts this process leaves ${list.format(missing)} in the bounding set: CapabilityBoundingSet= of the systemd unit`,
		],
		inContainer: [
			`start the container with ${missing.map((name) => `--cap-add ${name.replace(/^CAP_/, "")}`).join(" ")}, in Kubernetes securityContext.capabilities.add`,
		],
		source: "/proc/self/status",
		...(bounding !== undefined && { value: `CapBnd: ${bounding}` }),
	}),
	"no-subordinate-ids": ({ user, files }) => ({
		sentence: `${list.format(files)} ${files.length > 1 ? "have" : "has"} no line for ${user}: an ordinary user cannot map more than its own id.`,
		fix: [
			asRoot(
				`usermod ${files.map((file) => `--add-sub${file.endsWith("gid") ? "gids" : "uids"} 100000-165535`).join(" ")} ${user}`,
			),
			asRoot(`add the line ${user}:100000:65536 to ${list.format(files)}, with a range that no other line has`),
		],
		inContainer: [`in the image: echo ${user}:100000:65536 | tee -a ${files.join(" ")}`],
		source: files.join(" "),
		value: `no line for ${user}`,
	}),
	"cgroup-v1": ({ controllers, unified }) => ({
		sentence: `${controllers.length > 0 ? `The controllers ${list.format(controllers)} are` : "This machine is"} on cgroup v1${unified === undefined ? ", and no cgroup v2 is mounted" : ` and not on the cgroup v2 of ${unified}`}: limits for tasks by \`cgroup\` are not to be had.`,
		fix: [
			"set limits by setrlimit or prlimit in the task instead",
			asRoot("start the machine with systemd.unified_cgroup_hierarchy=1 on the kernel's command line"),
		],
		source: "/proc/self/cgroup",
		value: controllers.join(","),
	}),
	"cgroup-not-delegated": ({ path, code, uid }) => ({
		sentence: `${path} is not delegated to ${uid === undefined ? "this user" : `uid ${uid}`}${code === undefined ? "" : ` (${code})`}: tasks cannot be put into cgroups of their own.`,
		fix: [
			`start this program in a scope of its own: systemd-run --user --scope -p Delegate=yes ${program()} …`,
			asRoot("delegate to all sessions: Delegate=yes in user@.service"),
		],
		inContainer: [
			"start the container with a writable cgroup of its own: --cgroupns private with --security-opt writable-cgroups=true, or podman --cgroups split",
		],
		source: path,
		...(code !== undefined && { value: code }),
	}),
	"not-in-kernel": ({ calls, kernel, filtered }) => ({
		sentence: `The kernel${kernel === undefined ? "" : ` (${kernel})`}${filtered ? ", or its seccomp filter," : ""} does not have ${list.format(calls.map(([call, since]) => (since ? `${call} (Linux ${since})` : call)))}: functions that need ${calls.length > 1 ? "these" : "this"} fail, and others take the older way.`,
		fix: [
			...(filtered ? ["whoever starts this process allows the calls in its seccomp filter"] : []),
			asRoot("a newer kernel, or one with the option that the feature needs"),
		],
		source: "uname",
		...(kernel !== undefined && { value: kernel }),
		certain: !filtered,
	}),
	"no-capability": ({ capability, effective, kinds, prevents, withoutUser }) => ({
		sentence: `${capability} is not effective in this process${effective === undefined ? "" : ` (CapEff: ${effective} in /proc/self/status)`}: ${prevents ?? `${kinds?.length ? `the namespaces ${list.format(kinds)} need` : "the call needs"} it${withoutUser ? ", and a new user namespace along with them is refused as well" : ", or a new user namespace along with them"}`}${prevents ? " is refused" : ""}.`,
		fix: [
			...(withoutUser ? [] : [`add "user": ${inNamespaces} needs no privilege`]),
			asRoot(
				`start this program with the capability: setpriv --ambient-caps +${capabilityName(capability)} --inh-caps +${capabilityName(capability)} ${program()} …`,
			),
		],
		inContainer: [
			...(withoutUser ? [] : [`add "user": ${inNamespaces} needs no privilege`]),
			`start the container with --cap-add ${capability.replace(/^CAP_/, "")}`,
		],
		source: "/proc/self/status",
		...(effective !== undefined && { value: `CapEff: ${effective}` }),
	}),
	unknown: ({ syscall, code, prevents }) => ({
		sentence: `${syscall ?? "A call"} is refused${code === undefined ? "" : ` with ${code}`}, and nothing that can be read explains it${prevents === undefined ? "" : `: ${prevents}`}.`,
		fix: [
			`look whether a security module has logged a denial: dmesg, ausearch -m avc, journalctl -k; strace -f shows the call`,
		],
		...(syscall !== undefined && { source: syscall }),
		...(code !== undefined && { value: code }),
		certain: false,
	}),
};

/** The names of all obstacles, most important first: the order in which `probe` reports them. */
export const obstacleNames = Object.keys(table) as ObstacleName[];

function mapsText(uidMap: string | undefined, gidMap: string | undefined): string {
	const one = (name: string, text: string | undefined) => {
		if (text === undefined) return undefined;
		return `${name}: ${text.trim().replaceAll(/ +/g, " ").replaceAll(/\n ?/g, ", ") || "empty"}`;
	};
	const maps = [one("uid_map", uidMap), one("gid_map", gidMap)].filter(Boolean);
	return maps.length > 0 ? ` (${maps.join("; ")})` : "";
}

function capabilityName(capability: string): string {
	return capability.replace(/^CAP_/, "").toLowerCase();
}

/**
 * Returns an obstacle, with its sentence and its fixes.
 *
 * @param name - The name of the obstacle.
 * @param values - What was read.
 * @param surroundings - Where the process runs. Default: on a machine, and the obstacle is as certain as the table says.
 */
export function obstacle<Name extends ObstacleName>(
	name: Name,
	values: ObstacleValues[Name],
	{ container = false, certain }: Surroundings = {},
): Obstacle {
	const described = (table[name] as (values: ObstacleValues[Name]) => Described)(values);
	const { sentence, fix, inContainer, source, value } = described;
	return {
		name,
		sentence,
		fix: container ? together(inContainer ?? [], fix) : fix,
		...(source !== undefined && { source }),
		...(value !== undefined && { value }),
		certain: certain ?? described.certain ?? true,
	};
}

/** Returns two lists of fixes as one, in which narrow fixes come before broad ones. */
function together(first: readonly string[], second: readonly string[]): string[] {
	const narrow = [...first.slice(0, 1), ...second.slice(0, 1)];
	return [...new Set([...narrow, ...first.slice(1), ...second.slice(1)])];
}

/** Returns the hint of an error about an obstacle: the sentence of the table and the narrow fix, as one sentence without a full stop. */
export function hintOf({ sentence, fix }: Obstacle): string {
	return [sentence.replace(/\.$/, ""), ...fix.slice(0, 1)].join("; ");
}
