import { spawn } from "node:child_process";

/** Starts a child with Node's own function and waits for `exit`, without pipes, which would have to be made and drained. */
export function spawned(file: string, args: readonly string[] = []): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = spawn(file, args, { stdio: "ignore" });
		child.on("error", reject);
		child.on("exit", (code) => {
			if (code === 0) resolve();
			else reject(new Error(`${file} exited with ${code}`));
		});
	});
}

/** Tells whether a program can be started on this host. */
export async function installed(file: string, ...args: string[]): Promise<boolean> {
	return spawned(file, args).then(
		() => true,
		(error: NodeJS.ErrnoException) => error.code !== "ENOENT",
	);
}
