/** Returns the URL of this file. Some bundlers that write CommonJS leave none. */
function ownUrl(): string | undefined {
	return import.meta.url; // asked for at the first use, because asking makes Node load a module
}

/**
 * Returns the folder of this package, with a slash at its end. `undefined` when this code was copied out of the package: by a
 * bundler, into another file.
 *
 * The file stays directly in `src`: from here and from the bundle in `dist`, the folder is one level up.
 */
export function packageFolder(): string | undefined {
	const url = ownUrl();
	if (!url?.startsWith("file:")) return undefined;
	const { fileURLToPath } = process.getBuiltinModule("node:url");
	const { readFileSync } = process.getBuiltinModule("node:fs");
	// Webpack would take `new URL("..", import.meta.url)` for a file to copy.
	const folder = fileURLToPath(url.replace(/[?#].*/, "").replace(/[^/]*\/[^/]*$/, ""));
	try {
		const { name } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
		return name === "@nearfar/core" ? folder : undefined;
	} catch (error) {
		if ((error as { code?: string }).code === "ERR_ACCESS_DENIED") throw error;
		return undefined;
	}
}

/** Returns the path of this file, as a process warning names it, with the query of its URL. */
export function ownFile(): string {
	const url = ownUrl();
	if (url?.startsWith("file:")) return process.getBuiltinModule("node:url").fileURLToPath(url) + new URL(url).search;
	return typeof __filename === "string" ? __filename : "a bundle";
}
