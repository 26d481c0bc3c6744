<?php
/**
 * The container.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Types\TypeTable;

/**
 * Collaborators, each made once, when it is first asked for. Whatever is asked for by get() has a constructor that takes the
 * container: `new Drain( $services )`.
 */
final class Services {

	/**
	 * What has been made, or put there by a test, by class name.
	 *
	 * @var array<class-string, object>
	 */
	private array $made = array();

	/**
	 * The one object of a class.
	 *
	 * @template T of object
	 * @param class-string<T> $name The class.
	 * @return T
	 */
	public function get( string $name ): object {
		return $this->made[ $name ] ??= new $name( $this ); // @phpstan-ignore return.type
	}

	/**
	 * Puts another object in the place of a class, before anybody has asked for it.
	 *
	 * @param class-string $name    The class.
	 * @param object       $service The object to answer with.
	 */
	public function set( string $name, object $service ): void {
		$this->made[ $name ] = $service;
	}

	/** The database of WordPress. Not kept: a switched site changes its prefix. */
	public function database(): \wpdb {
		global $wpdb;
		return $wpdb;
	}

	public function clock(): Clock {
		return $this->made[ Clock::class ] ??= new Clock();
	}

	public function log(): Log {
		return $this->made[ Log::class ] ??= new Log();
	}

	public function tables(): Tables {
		return $this->get( Tables::class );
	}

	/** Where the connection is kept. */
	public function connections(): ConnectionStore {
		return $this->get( ConnectionStore::class );
	}

	/** The shop's connection, as stored; null: not connected. Ask copy_guard() before using it for anything that leaves or enters. */
	public function connection(): ?Connection {
		return $this->connections()->current();
	}

	public function copy_guard(): CopyGuard {
		return $this->get( CopyGuard::class );
	}

	public function service_client(): ServiceClient {
		return $this->get( ServiceClient::class );
	}

	public function outbox(): Outbox {
		return $this->get( Outbox::class );
	}

	public function customers(): CustomerTable {
		return $this->get( CustomerTable::class );
	}

	public function types(): TypeTable {
		return $this->get( TypeTable::class );
	}
}
