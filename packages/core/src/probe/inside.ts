// The features that a task has in namespaces of its own.
import type { NamespaceKind } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { numbers } from "./calls.ts";
import type { Answer, Feature } from "./features.ts";
import { type Step, type Tasks, Worker } from "./tasks.ts";

const MS_RDONLY = 1;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const SIOCSIFFLAGS = 0x8914;
const IFREQ = 40; // bytes of struct ifreq
const IFF_UP = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const AT_FDCWD = -100;

/** A feature, the namespaces that its task needs, and the calls. */
interface Inside {
	readonly kinds: readonly NamespaceKind[];
	readonly name: string;
	/** Makes the calls. `place` is a folder over which the task mounts. */
	readonly step: (place: string, readOnly: boolean) => Step;
	/** True when a read-only mount is tried, if the kernel refuses another one. */
	readonly orReadOnly?: boolean;
}

const LAYERS = ["lower", "upper", "work", "merged"];

const table: Partial<Record<Feature, Inside>> = {
	userCapabilities: {
		kinds: ["user", "uts"],
		name: "sethostname",
		step: () => () => native().sethostname("nearfar"),
	},
	mount: {
		kinds: ["user", "mnt"],
		name: "mount",
		step: (place) => () => native().mount("none", place, "tmpfs", 0, null),
	},
	proc: {
		kinds: ["user", "mnt", "pid"],
		name: "mount",
		orReadOnly: true,
		step: (place, readOnly) => () => native().mount("none", place, "proc", readOnly ? MS_RDONLY : 0, null),
	},
	sysfs: {
		kinds: ["user", "mnt", "net"],
		name: "mount",
		orReadOnly: true,
		step: (place, readOnly) => () => native().mount("none", place, "sysfs", readOnly ? MS_RDONLY : 0, null),
	},
	overlay: {
		kinds: ["user", "mnt"],
		name: "mount",
		step: (place) => () => {
			native().mount("none", place, "tmpfs", 0, null);
			for (const layer of LAYERS) native().mkdirat(AT_FDCWD, `${place}/${layer}`, 0o700);
			const data = `lowerdir=${place}/lower,upperdir=${place}/upper,workdir=${place}/work`;
			native().mount("none", `${place}/merged`, "overlay", 0, data);
		},
	},
	loopback: {
		kinds: ["user", "net"],
		name: "ioctl",
		step: () => (task) => {
			using socket = task.syscall(numbers.socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0, { fd: true });
			const request = Buffer.alloc(IFREQ);
			request.write("lo");
			request.writeUInt16LE(IFF_UP, 16);
			task.syscall(numbers.ioctl, socket, SIOCSIFFLAGS, request);
		},
	},
	mountApi: {
		kinds: ["user", "mnt"],
		name: "fsopen",
		step: () => () => {
			const context = native().fsopen("tmpfs", FSOPEN_CLOEXEC);
			native().fsconfig(context, FSCONFIG_CMD_CREATE, null, null, 0);
			native().fsmount(context, FSMOUNT_CLOEXEC, 0);
		},
	},
};

/** The features, in the order in which they are tried. */
export const insideFeatures = Object.keys(table) as Feature[];

/** Returns the kinds of namespaces without which a feature cannot be tried. */
export function kindsOf(feature: Feature): readonly NamespaceKind[] {
	return table[feature]?.kinds ?? [];
}

/** What `tryInside` finds out. */
export interface Inner {
	/** Whether a new user namespace gets a map of the own ids. */
	mapped: Answer;
	answers: Partial<Record<Feature, Answer>>;
}

/**
 * Tries the features, all in one task if a task with all the namespaces can be cloned. Otherwise each feature gets a task with
 * the namespaces that it needs, and one without maps of ids if these cannot be written.
 */
export async function tryInside(tasks: Tasks): Promise<Inner> {
	const answers: Partial<Record<Feature, Answer>> = {};
	const whole = new Worker(tasks, { namespaces: ["user", "mnt", "pid", "net", "uts"], idMap: "root" });
	if ((await whole.start()).works) {
		for (const feature of insideFeatures) answers[feature] = await tryFeature(whole, feature);
		await whole.end();
		return { mapped: { works: true }, answers: withoutUntried(answers) };
	}
	const alone = new Worker(tasks, { namespaces: ["user"], idMap: "root" });
	const mapped = await alone.start();
	await alone.end();
	for (const feature of insideFeatures) {
		const idMap = mapped.works ? "root" : "none";
		const worker = new Worker(tasks, { namespaces: kindsOf(feature), idMap });
		answers[feature] = await tryFeature(worker, feature);
		await worker.end();
	}
	return { mapped, answers: withoutUntried(answers) };
}

/** An overlay has layers on a tmpfs: where that cannot be mounted, the overlay was not tried. */
function withoutUntried(answers: Inner["answers"]): Inner["answers"] {
	return answers.mount?.works ? answers : { ...answers, overlay: { works: undefined } };
}

async function tryFeature(worker: Worker, feature: Feature): Promise<Answer> {
	const { name, step, orReadOnly } = table[feature] as Inside;
	const place = findPlace();
	const answer = await worker.attempt(name, step(place, false));
	// Without mapped ids the task makes no folders for the layers.
	if (feature === "overlay" && answer.syscall === "mkdirat") return { works: undefined };
	if (!orReadOnly || answer.code !== "EPERM") return answer;
	const readOnly = await worker.attempt(name, step(place, true));
	return readOnly.works ? { ...answer, value: "ro" } : answer;
}

/** Returns a folder that exists. The task mounts over it in a mount namespace of its own. */
function findPlace(): string {
	const { statSync } = process.getBuiltinModule("node:fs");
	const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory();
	const above = process.execPath.slice(0, process.execPath.lastIndexOf("/"));
	return ["/tmp", "/usr", "/var", "/etc", above].find(isFolder) ?? "/";
}
