/** What `nearfar --help` prints: at most 24 lines of 80 characters. */
export const usage = `Usage: nearfar run [OPTION…] [--] COMMAND [ARGUMENT…]
       nearfar doctor [--json]
`;
