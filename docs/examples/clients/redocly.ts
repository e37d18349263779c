import { client } from './voice-api'

client.configure({ serverUrl: process.env['VOICE_API_URL'] ?? '' })
client.auth.bearer(process.env['VOICE_API_KEY'] ?? '')

const list = await client.listAgents()
const agent = list.data?.agents[0]?.key ?? ''
const { data, error } = await client.createCall({ body: { phone: '+12025550100', agent } })
if (error) throw new Error(`${error.code}: ${error.detail}`)
console.log(data.call_id)
