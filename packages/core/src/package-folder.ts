/** Returns the URL of this file. Some bundlers that write CommonJS leave none. */
function ownUrl(): string | undefined {
	return import.meta.url; // asked for at the first use, because asking makes Node load a module
}

/**
 * Returns the folder of this package, with a slash at its end, and the version of the package. `undefined` when this code was copied
 * out of the package: by a bundler, into another file.
 *
 * The file stays directly in `src`: from here and from the bundle in `dist`, the folder is one level up.
 */
export function ownPackage(): { readonly folder: string; readonly version: string } | undefined {
	const url = ownUrl();
	if (!url?.startsWith("file:")) return undefined;
	const { fileURLToPath } = process.getBuiltinModule("node:url");
	const { readFileSync } = process.getBuiltinModule("node:fs");
	// Webpack would take `new URL("..", import.meta.url)` for a file to copy.
	const folder = fileURLToPath(url.replace(/[?#].*/, "").replace(/[^/]*\/[^/]*$/, ""));
	try {
		const { name, version } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
		return name === "@nearfar/core" ? { folder, version } : undefined;
	} catch (error) {
		if (isAccessRefused(error)) throw error;
		return undefined;
	}
}

/** True for the error that the permission model of Node or of Deno throws in the place of reading a file. */
export function isAccessRefused(error: unknown): boolean {
	const { code, name } = error as { code?: string; name?: string };
	return code === "ERR_ACCESS_DENIED" || name === "NotCapable";
}

/** Returns the path of this file, as a process warning names it, with the query of its URL. */
export function ownFile(): string {
	const url = ownUrl();
	if (url?.startsWith("file:")) return process.getBuiltinModule("node:url").fileURLToPath(url) + new URL(url).search;
	return typeof __filename === "string" ? __filename : "a bundle";
}
