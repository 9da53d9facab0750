import { type Obstacle, type Probe, probe } from "@nearfar/core";

/** One thing that a sandbox needs of its host, and whether the host has it. */
export interface ReportItem {
	/** What it is, such as `"namespaces"` or `"scratch"`. The names do not change between releases. */
	readonly name: string;
	/** Whether it works here. */
	readonly ok: boolean;
	/** What it is like, such as an ABI of the kernel. Absent: there is nothing to say. */
	readonly note?: string;
	/** What was refused, or why it was not tried. Absent: it works. */
	readonly cause?: string;
	/** What stands in the way, and what to do about it. Absent: it works, or nothing explains the refusal. */
	readonly hint?: string;
}

type Answers = { readonly works: boolean | undefined; code?: string; syscall?: string; because?: readonly string[] };

/** What a probe tells about sandboxes, in the order in which a sandbox needs it. */
const needed: Readonly<Record<string, (found: Probe) => readonly Answers[]>> = {
	namespaces: ({ namespaces: { user, mnt, pid, ipc, uts, cgroup, net } }) =>
		[user, mnt, pid, ipc, uts, cgroup, net].map(({ withUser }) => withUser),
	mounts: ({ features: { openat2, mount, mountApi, mountSetattr, closeRange } }) => [
		openat2,
		mount,
		mountApi,
		mountSetattr,
		closeRange,
	],
	proc: ({ features }) => [features.proc],
	loopback: ({ features }) => [features.loopback],
};

/** Returns what a probe tells about sandboxes, item by item. */
export function itemsOf(found: Probe): ReportItem[] {
	return Object.entries(needed).map(([name, of]) => {
		const refused = of(found).filter(({ works }) => !works);
		const first = refused.find(({ works }) => works === false) ?? refused[0];
		if (!first) return { name, ok: true };
		if (first.works === undefined) return { name, ok: false, cause: "could not be tried" };
		const because = new Set(refused.flatMap(({ because = [] }) => because));
		const hint = found.obstacles
			.filter((obstacle) => because.has(obstacle.name) && !isAboutSys(obstacle))
			.map(inSentences)
			.join("\n");
		return { name, ok: false, cause: inWords(first), ...(hint && { hint }) };
	});
}

/** Returns the items that a probe of this host finds missing, and a hint for a call that none of them explains. */
export async function missingItems(): Promise<{ missing: ReportItem[]; filter: string | undefined }> {
	const found = await probe();
	const missing = itemsOf(found).filter(({ ok }) => !ok);
	const filter =
		found.host.seccomp === "filter"
			? "a seccomp filter is active in this process (Seccomp: 2 in /proc/self/status), and probably refuses the call: start Node where the filter allows it"
			: undefined;
	return { missing, filter };
}

/** Returns the item that a step is part of. */
export function itemOfStep(step: string): string {
	const [first = ""] = step.split(" ", 1);
	return ["namespaces", "proc", "loopback", "devpts", "ids"].includes(first) ? first : "mounts";
}

function inWords({ code, syscall }: Answers): string {
	return `${syscall ?? "a call"} is refused${code === undefined ? "" : ` with ${code}`}`;
}

/** Two obstacles have the same name: a masked `/proc`, and a masked `/sys`, of which a sandbox makes no new one. */
function isAboutSys({ name, sentence }: Obstacle): boolean {
	return name === "masked-proc" && !/ a new proc\b/.test(sentence);
}

function inSentences({ name, sentence, fix: [fix], value }: Obstacle): string {
	if (name !== "masked-proc") return fix === undefined ? sentence : `${sentence} To change that: ${fix}`;
	// To bind the procfs of the host, which is the first fix for other programs, would show its processes.
	const covered = value ? ` (mounts cover ${value.split(" ").join(", ")})` : "";
	return `/proc is masked${covered}: in a user namespace the kernel makes no new procfs while none in sight shows everything. Start the container with /proc unmasked: podman --security-opt unmask=ALL, docker --security-opt systempaths=unconfined, in Kubernetes securityContext.procMount: Unmasked. Or, as the administrator, take the covers away: umount ${value || "what is mounted below /proc"}`;
}
