import { wrongType, wrongValue } from "../arguments.ts";

/** A path: text, the bytes themselves, or a `file:` URL. A NUL byte is a `TypeError`. */
export type PathLike = string | Buffer | URL;

const SLASH = 0x2f;

/** What the addon takes for a path. */
export function pathText(path: PathLike, name = "path"): string | Uint8Array {
	if (path instanceof URL) return pathText(process.getBuiltinModule("node:url").fileURLToPath(path), name);
	if (typeof path === "string") {
		if (path.includes("\0")) throw wrongValue(name, "a path without NUL bytes", path);
		return path;
	}
	if (!(path instanceof Uint8Array)) throw wrongType(name, "a string, a Buffer or a URL", path);
	if (path.includes(0)) throw wrongValue(name, "a path without NUL bytes", path);
	return path;
}

/** The same as a `Buffer`, to put together with others. */
export function pathBytes(path: PathLike, name = "path"): Buffer {
	const text = pathText(path, name);
	return typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
}

/** Whether the kernel ignores where the path begins. */
export function isAbsolute(path: string | Uint8Array): boolean {
	return typeof path === "string" ? path.startsWith("/") : path[0] === SLASH;
}
