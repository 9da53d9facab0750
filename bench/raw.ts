import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds crates/linux/examples/raw.rs, which knows what the machine itself needs. */
export function buildRaw(): void {
	const args = ["build", "--quiet", "--release", "--package", "nearfar-linux", "--example", "raw"];
	execFileSync("cargo", args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
}

/** Nanoseconds for each operation. */
export function raw(...args: (string | number)[]): number {
	return Number(execFileSync(`${root}target/release/examples/raw`, args.map(String), { encoding: "utf8" }));
}
