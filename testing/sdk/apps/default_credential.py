"""An application as it is written for Azure: nothing in it knows where it runs. Reads, and may not list."""

import os

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

client = SecretClient(os.environ["VAULT_URL"], DefaultAzureCredential())
print(client.get_secret(os.environ["SECRET"]).value)
try:
    list(client.list_properties_of_secrets())
except HttpResponseError as refused:
    print(refused.status_code, refused.error.code)
