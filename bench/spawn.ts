import { spawn } from "node:child_process";

/** Node's own: a child to its `exit`, without pipes that would have to be made and drained. */
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

/** Whether a program can be started at all. */
export async function installed(file: string, ...args: string[]): Promise<boolean> {
	return spawned(file, args).then(
		() => true,
		(error: NodeJS.ErrnoException) => error.code !== "ENOENT",
	);
}
