import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds a program of crates/linux/examples and returns its path. `raw` measures the bare system calls. */
export function buildRaw(name: "raw" | "crowd" = "raw"): string {
	const args = ["build", "--quiet", "--release", "--package", "nearfar-linux", "--example", name];
	execFileSync("cargo", args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
	return `${root}target/release/examples/${name}`;
}

/** Returns the nanoseconds for each operation. */
export function raw(...args: (string | number)[]): number {
	return Number(execFileSync(`${root}target/release/examples/raw`, args.map(String), { encoding: "utf8" }));
}
