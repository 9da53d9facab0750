import { integer } from "@nearfar/core/internal";

/** Checks permission bits, and returns them in octal: file systems read modes in octal. */
export function octal(mode: number, name: string): string {
	return integer(mode, name, 0, 0o7777).toString(8);
}
