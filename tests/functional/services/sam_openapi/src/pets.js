export const handler = async ({ httpMethod, path, body }) => ({
  statusCode: httpMethod === "POST" ? 201 : 200,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ path, pet: body ? JSON.parse(body).name : null }),
});
