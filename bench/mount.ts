import { forkedWithMounts } from "./forked.ts";
import type { Row } from "./row.ts";
import { installed } from "./spawn.ts";

/** Measures mounts in one call each, in a mount namespace of their own. */
export const mount: Row[] = [
	{
		name: "mount-bind",
		unit: "ms",
		peerName: "child_process: mount --rbind, mount -o remount,bind,ro",
		bar: 0.1,
		async start() {
			for (const program of ["mount", "unshare"]) {
				if (!(await installed(program, "--version"))) return `${program} is not installed (Debian: util-linux)`;
			}
			const node = await forkedWithMounts("mount-node");
			return { ours: () => node.ask("bind"), peer: () => node.ask("mount"), end: node.end };
		},
	},
];
