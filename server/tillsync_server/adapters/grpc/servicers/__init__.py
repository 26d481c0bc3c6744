"""One module a service. A method is: request → command → use case → response; rights and single fields were checked before it runs."""
