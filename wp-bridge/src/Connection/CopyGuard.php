<?php
/**
 * Guard against copied sites.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;


/**
 * Keeps a copy of a shop from acting as the original. A database copied to another address, or to a site with another environment type,
 * contains the connection. The plugin stores address and environment when the shop is connected. While one of them differs, it sends nothing
 * and accepts nothing. The merchant then chooses "this is a copy" or "the shop moved" (Connector).
 *
 * A test site may be connected, after the merchant confirms it.
 */
final class CopyGuard {

	public function __construct( private readonly ConnectionStore $connections ) {}

	/** Returns the connection if this site may use it. Null means not connected, or that the merchant must choose first. */
	public function usable(): ?Connection {
		$connection = $this->connections->current();
		return null !== $connection && ! $this->differs( $connection ) ? $connection : null;
	}

	/** Tells whether a connection is stored that this site must not use before the merchant has chosen. */
	public function must_choose(): bool {
		$connection = $this->connections->current();
		return null !== $connection && $this->differs( $connection );
	}

	public function differs( Connection $connection ): bool {
		return SiteIdentity::normalised( $connection->home_url ) !== SiteIdentity::home_url()
			|| $connection->environment !== SiteIdentity::environment();
	}
}
