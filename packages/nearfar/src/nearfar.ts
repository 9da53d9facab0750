import { doctor } from "./doctor.ts";
import { explain, UsageError } from "./errors.ts";
import { helps, version } from "./help.ts";
import { complain, print } from "./print.ts";
import { run } from "./run.ts";

/** Runs the command with these arguments, and returns the exit code. */
async function main([name, ...args]: readonly string[]): Promise<number> {
	if (name === "run") return await run(args);
	if (name === "doctor") return await doctor(args);
	if (name === "--version" || name === "-v") return print(`${version()}\n`);
	if (name === "--help" || name === "-h") return print(helps.nearfar);
	const found = name === undefined ? "no command was given" : `${name} is no command of nearfar`;
	throw new UsageError(`${found}: the commands are run and doctor`, "nearfar");
}

try {
	process.exitCode = await main(process.argv.slice(2));
} catch (error) {
	const { exitCode, message } = explain(error);
	complain(message);
	process.exitCode = exitCode;
}
