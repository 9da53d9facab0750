import { isAccessRefused } from "./package-folder.ts";

/**
 * Returns a variable of the environment, or `undefined` where there is none. Deno without `--allow-env` refuses to read the environment,
 * and a variable that only changes a detail counts as unset there.
 */
export function environmentVariable(name: string): string | undefined {
	try {
		return process.env[name];
	} catch (error) {
		if (isAccessRefused(error)) return undefined;
		throw error;
	}
}
