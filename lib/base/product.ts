/** The product's name; everything that shows or derives it reads it here. */
export const product = {
  name: "tailrace",
  title: "Tailrace",
  version: "0.1.0",
} as const;
