// All cases of the smoke by name. They use the built packages and plain JavaScript, so that they run everywhere.
import { cgroup } from "./cases/cgroup.mjs";
import { core } from "./cases/core.mjs";
import { isolation } from "./cases/isolation.mjs";
import { lifetime } from "./cases/lifetime.mjs";
import { pidfd } from "./cases/pidfd.mjs";
import { programs } from "./cases/process.mjs";
import { sandbox } from "./cases/sandbox.mjs";
import { Skip } from "./tools.mjs";

export const cases = { ...core, ...programs, ...pidfd, ...isolation, ...lifetime, ...cgroup, ...sandbox };

// On an emulated processor some cases take 10 s, and more beside other work.
const PATIENCE = 120_000; // milliseconds

/** Runs a case, prints a line about it, and returns "passed", "failed" or "skipped", with the error. */
export async function execute(name) {
	const { result, error } = await runCase(name);
	const why = { passed: "", failed: `: ${error?.stack ?? error}`, skipped: `: ${error?.message}` };
	console.log(`${result}: ${name}${why[result]}`);
	return { result, error };
}

async function runCase(name) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`it did not end in ${PATIENCE / 1000} s`)), PATIENCE);
	});
	try {
		await Promise.race([cases[name](), late]);
		return { result: "passed" };
	} catch (error) {
		return { result: error instanceof Skip ? "skipped" : "failed", error };
	} finally {
		clearTimeout(timer);
	}
}
