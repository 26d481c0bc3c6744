<?php
/**
 * One person at the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Privacy;

use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;

/** PrivacyService by shop customer id and email. Nothing of the answers is stored. */
class ServicePerson {

	private const TIMEOUT_SECONDS = 20;
	private const PAGE_SIZE       = 200;

	/** Where the next page begins, for the hour that an export may take. */
	private const TOKEN = 'tillsync_bridge_export_';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/** Whether there is a service that may know somebody, and may be asked from here. */
	public function can_be_asked(): bool {
		return null !== $this->services->copy_guard()->usable();
	}

	/**
	 * One page of what the service keeps.
	 *
	 * @param int $page From 1.
	 * @return array{records: array<int, array<string, mixed>>, more: bool}
	 * @throws ServiceError
	 */
	public function export( string $email, int $page ): array {
		$name   = self::TOKEN . md5( $email );
		$kept   = get_transient( $name );
		$token  = 1 === $page ? '' : ( is_array( $kept ) && $page === ( $kept['page'] ?? 0 ) ? (string) $kept['token'] : null );
		$answer = null;
		// The place was forgotten: the pages before are gone through again.
		for ( $at = null === $token ? 1 : $page; $at <= $page; $at++ ) {
			$answer = $this->call( 'ExportPerson', array( 'person' => self::person( $email ), 'pageSize' => self::PAGE_SIZE ) + array_filter( array( 'pageToken' => (string) $token ) ) );
			$token  = (string) ( $answer['nextPageToken'] ?? '' );
			if ( '' === $token && $at < $page ) {
				return array( 'records' => array(), 'more' => false );
			}
		}
		'' === $token ? delete_transient( $name ) : set_transient( $name, array( 'page' => $page + 1, 'token' => $token ), HOUR_IN_SECONDS );
		return array( 'records' => array_values( array_filter( (array) ( $answer['records'] ?? array() ), 'is_array' ) ), 'more' => '' !== $token );
	}

	/**
	 * Erases. Repeatable.
	 *
	 * @return array{erased: int, retained: string[]} retained: why something has to stay for now, one sentence each.
	 * @throws ServiceError
	 */
	public function erase( string $email ): array {
		$answer = $this->call( 'ErasePerson', array( 'person' => self::person( $email ) ) );
		$erased = 0;
		foreach ( array_filter( (array) ( $answer['erased'] ?? array() ), 'is_array' ) as $count ) {
			$erased += (int) ( $count['count'] ?? 0 );
		}
		$retained = array_filter( (array) ( $answer['retained'] ?? array() ), 'is_array' );
		return array( 'erased' => $erased, 'retained' => array_values( array_map( static fn( array $one ) => (string) ( $one['reason'] ?? '' ), $retained ) ) );
	}

	/** @return array<string, string> A Person. */
	private static function person( string $email ): array {
		$user = get_user_by( 'email', $email );
		return array( 'email' => $email ) + ( false === $user ? array() : array( 'wooCustomerId' => (string) $user->ID ) );
	}

	/**
	 * @param array<string, mixed> $message The request.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function call( string $method, array $message ): array {
		return $this->services->service_client()->call( 'PrivacyService', $method, $message, self::TIMEOUT_SECONDS );
	}
}
