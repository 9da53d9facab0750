// The shell of a coding agent: its commands share one sandbox, which sees the system and writes one project.
import { type Result, Sandbox } from "@nearfar/sandbox";

/** Opens the sandbox. Dispose of it, and everything in it ends. */
export function openShell(project: string, hosts: string[] = []): Promise<Sandbox> {
	return Sandbox.open({
		write: [project], // but for .git/hooks and the like, which programs outside execute later
		hide: ["**/*.pem"], // beside the home directory and each .env
		cwd: project,
		network: { allow: hosts },
		limits: { processes: 500, output: 1_000_000 },
	});
}

/** Runs a command line, and returns what the agent is told. */
export async function shell(sandbox: Sandbox, line: string, time = 600_000): Promise<string> {
	const result = await sandbox.run("sh", ["-c", line], { limits: { time } });
	return `${result.stdout}${result.stderr}${ending(result)}`;
}

function ending({ code, signal, reason, violations }: Result): string {
	const refused = violations.map(({ kind, what }) => `\n[${kind}: ${what}]`).join("");
	return `${refused}\n[${reason}: ${signal ?? code}]`;
}
