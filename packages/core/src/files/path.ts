import { wrongType, wrongValue } from "../arguments.ts";

/** A path as text, as bytes, or as a `file:` URL. A path with a NUL byte is a `TypeError`. */
export type PathLike = string | Buffer | URL;

const SLASH = 0x2f;

/**
 * Checks a path and returns it as the addon takes it: text or bytes.
 *
 * @param allowed - What the caller takes, for the message of an error.
 */
export function pathText(path: PathLike, name = "path", allowed = "a string, a Buffer or a URL"): string | Uint8Array {
	if (path instanceof URL) return pathText(process.getBuiltinModule("node:url").fileURLToPath(path), name);
	if (typeof path === "string") {
		if (path.includes("\0")) throw wrongValue(name, "a path without NUL bytes, which end a path for the kernel", path);
		return path;
	}
	if (!(path instanceof Uint8Array)) throw wrongType(name, allowed, path);
	if (path.includes(0)) throw wrongValue(name, "a path without NUL bytes, which end a path for the kernel", path);
	return path;
}

/** Checks a path and returns it as bytes, to be joined with others. */
export function pathBytes(path: PathLike, name = "path"): Buffer {
	const text = pathText(path, name);
	return typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
}

/** True when a path begins with `/`, so that the kernel ignores the directory. */
export function isAbsolute(path: string | Uint8Array): boolean {
	return typeof path === "string" ? path.startsWith("/") : path[0] === SLASH;
}
