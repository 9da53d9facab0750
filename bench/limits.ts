import { Cgroup } from "@nearfar/cgroup";
import { Task } from "@nearfar/core";
import type { LandlockRules } from "@nearfar/landlock";
import { type SpawnOptions, spawn } from "@nearfar/process";
import { blocked, wall } from "./clock.ts";
import type { Row } from "./row.ts";

const COUNT = 20;
const MOST_BLOCKED = 0.2; // milliseconds

const paths: LandlockRules["paths"] = ["/bin", "/etc", "/lib", "/lib64", "/opt", "/usr", "/var", "/tmp"].map((at) => ({
	at,
	allow: at === "/tmp" ? ["write"] : ["run"],
	kind: "directory",
}));

/** Measures what limits take: a cgroup around a program, a Landlock domain for it, and the calls that must not block the event loop. */
export const limits: Row[] = [
	{
		name: "cgroup-spawn",
		unit: "ms",
		peerName: "spawn of /bin/true without the option",
		bar: 1.15,
		async start() {
			const parent = findParent();
			if (typeof parent === "string") return parent;
			const ours = async () => {
				const group = parent.create(nextName());
				await ended({ cgroup: group });
				await group.kill();
				await group.remove();
			};
			return { ours: () => wall(COUNT, ours), peer: () => wall(COUNT, () => ended()) };
		},
	},
	{
		name: "landlock-spawn",
		unit: "ms",
		peerName: "spawn of /bin/true with noNewPrivs alone",
		bar: 1.1,
		async start() {
			const ours = () => ended({ landlock: { paths } });
			const refused = await ours().catch((error: Error) => error.message);
			return refused ?? { ours: () => wall(COUNT, ours), peer: () => wall(COUNT, () => ended({ noNewPrivs: true })) };
		},
	},
	blockedRow("cgroup-set-blocked", (group) => group.write("cgroup.max.descendants", "10")),
	blockedRow("cgroup-kill-blocked", (group) => group.kill()),
	blockedRow("cgroup-remove-blocked", (group) => group.remove()),
];

let made = 0;
const nextName = () => `nearfar-bench-${process.pid}-${made++}`;

/** Returns a row for a call on a group with a process in it. */
function blockedRow(name: string, call: (group: Cgroup) => Promise<void>): Row {
	return {
		name,
		unit: "ms",
		peerName: "the 0.2 ms that it may be",
		bar: 1,
		async start() {
			const parent = findParent();
			if (typeof parent === "string") return parent;
			const ours = async () => {
				const groups = Array.from({ length: COUNT }, () => parent.create(nextName()));
				const tasks = await Promise.all(groups.map((cgroup) => Task.clone({ cgroup })));
				const waiting = [...groups];
				const time = await blocked(COUNT, () => call(waiting.pop() as Cgroup));
				await Promise.all(groups.map((group) => group.remove()));
				await Promise.all(tasks.map((task) => task[Symbol.asyncDispose]()));
				return time;
			};
			return { ours, peer: () => MOST_BLOCKED };
		},
	};
}

/** Returns a directory in which groups can be made, or why there is none. The groups of these rows have no limits. */
function findParent(): Cgroup | string {
	try {
		return Cgroup.find({ controllers: [] });
	} catch (error) {
		return (error as Error).message;
	}
}

async function ended(options?: SpawnOptions): Promise<void> {
	const child = await spawn("/bin/true", [], { stdio: "ignore", ...options });
	await child.check();
}
