"""The same, asynchronous: another HTTP library with another way to find authorities."""

import asyncio
import os

from azure.core.exceptions import HttpResponseError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient


async def main():
    async with DefaultAzureCredential() as credential, SecretClient(os.environ["VAULT_URL"], credential) as client:
        print((await client.get_secret(os.environ["SECRET"])).value)
        try:
            [item async for item in client.list_properties_of_secrets()]
        except HttpResponseError as refused:
            print(refused.status_code, refused.error.code)


asyncio.run(main())
