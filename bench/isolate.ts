import { type NamespaceKind, Task } from "@nearfar/core";
import { wall } from "./clock.ts";
import type { Row, Sides } from "./row.ts";
import { installed, spawned } from "./spawn.ts";

const COUNT = 10;
const namespaces: NamespaceKind[] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];
const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "true"];

/** Measures a program in seven new namespaces. */
export const isolate: Row[] = [
	{
		name: "isolate-7",
		unit: "ms",
		peerName: "plain child_process.spawn of /bin/true",
		bar: 1,
		async start() {
			return sides(() => spawned("/bin/true"));
		},
	},
	{
		name: "isolate-7-bwrap",
		unit: "ms",
		peerName: "bwrap --unshare-all",
		bar: 0.35,
		async start() {
			if (!(await installed("bwrap", "--version"))) return "bwrap is not installed (Debian: bubblewrap)";
			return sides(() => spawned("bwrap", bwrap));
		},
	},
];

function sides(peer: () => Promise<void>): Sides {
	return { ours: () => wall(COUNT, isolated), peer: () => wall(COUNT, peer) };
}

async function isolated(): Promise<void> {
	const task = await Task.clone({ namespaces });
	await task.exec("/bin/true").check();
}
