import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds a program of crates/linux/examples and returns its path. */
export function buildRaw(name: "raw" | "far" | "crowd" | "listen" = "raw"): string {
	const args = ["build", "--quiet", "--release", "--package", "nearfar-linux", "--example", name];
	execFileSync("cargo", args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
	return `${root}target/release/examples/${name}`;
}

/** Runs a program that measures without Node. Returns the nanoseconds for each operation. */
export function raw(name: "raw" | "far", ...args: (string | number)[]): number {
	return Number(execFileSync(`${root}target/release/examples/${name}`, args.map(String), { encoding: "utf8" }));
}
