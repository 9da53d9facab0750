import { usage } from "./help.ts";
import { run } from "./run.ts";

/** Runs the command `nearfar` with these arguments, and sets the exit code of Node. */
export async function main(args: readonly string[]): Promise<void> {
	const [name, ...rest] = args;
	if (name === "run") process.exitCode = await run(rest);
	else if (name === undefined || name === "--help") process.stdout.write(usage);
	else {
		process.stderr.write(`nearfar: ${name} is no command of nearfar: run or doctor. See nearfar --help.\n`);
		process.exitCode = 125;
	}
}
