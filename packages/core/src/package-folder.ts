/**
 * Returns the folder of this package, with a slash at its end.
 *
 * The file stays directly in `src`: from here and from the bundle in `dist`, the folder is one level up.
 */
export function packageFolder(): string {
	return process.getBuiltinModule("node:url").fileURLToPath(new URL("..", import.meta.url));
}
