import { lstatSync, readlinkSync } from "node:fs";

const example = new URL("../../examples/dist/isolate.js", import.meta.url).href;
const shared = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"];

interface Example {
	isolate(command: string[]): Promise<{ check(): Promise<void> }>;
}

/** Returns the function of examples/isolate.ts, which starts a command in the sandbox of the demo. */
export async function loadIsolate(): Promise<Example["isolate"]> {
	const { isolate }: Example = await import(example);
	return isolate;
}

/** Returns the arguments of a bwrap that runs `true` with the mounts of the demo. */
export function bwrapWithSameMounts(...more: string[]): string[] {
	const fresh = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--hostname", "nearfar"];
	return ["--unshare-all", "--cap-drop", "ALL", ...more, ...shared.flatMap(bind), ...fresh, "true"];
}

/** Does the same, and as in the demo the program can make no user namespace. */
export function bwrapWithoutNesting(): string[] {
	return bwrapWithSameMounts("--unshare-user", "--disable-userns");
}

/** Returns the option of bwrap for a path of the host: a symbolic link, as `/bin` often is, stays one in the sandbox. */
function bind(path: string): string[] {
	const stat = lstatSync(path, { throwIfNoEntry: false });
	if (stat?.isSymbolicLink()) return ["--symlink", readlinkSync(path), path];
	return stat ? ["--ro-bind", path, path] : [];
}
