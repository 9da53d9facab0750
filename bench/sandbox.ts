import { lstatSync, readlinkSync } from "node:fs";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { installed, spawned } from "./spawn.ts";

const COUNT = 10;
const example = new URL("../../examples/dist/isolate.js", import.meta.url).href;
const shared = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"];

interface Example {
	isolate(command: string[]): Promise<{ check(): Promise<void> }>;
}

/** Measures the whole sandbox of examples/isolate.ts. */
export const sandbox: Row[] = [
	{
		name: "demo-sandbox",
		unit: "ms",
		peerName: "bwrap with the same mounts",
		bar: 0.6,
		async start() {
			if (!(await installed("bwrap", "--version"))) return "bwrap is not installed (Debian: bubblewrap)";
			const { isolate }: Example = await import(example);
			const ours = async () => (await isolate(["true"])).check();
			return { ours: () => wall(COUNT, ours), peer: () => wall(COUNT, () => spawned("bwrap", bwrap())) };
		},
	},
];

function bwrap(): string[] {
	const fresh = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--hostname", "nearfar"];
	return ["--unshare-all", "--cap-drop", "ALL", ...shared.flatMap(bind), ...fresh, "true"];
}

/** Returns the option of bwrap for a path of the host: a symbolic link, as `/bin` often is, stays one in the sandbox. */
function bind(path: string): string[] {
	const stat = lstatSync(path, { throwIfNoEntry: false });
	if (stat?.isSymbolicLink()) return ["--symlink", readlinkSync(path), path];
	return stat ? ["--ro-bind", path, path] : [];
}
