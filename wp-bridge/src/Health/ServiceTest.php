<?php
/**
 * Asks the service whether both sides are well.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;

/** CheckAccount, for Site Health and the command line. */
class ServiceTest {

	private const TIMEOUT_SECONDS = 30;

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/**
	 * Each step of both sides.
	 *
	 * @return array{ok: bool, steps: array<int, array{side: string, ok: bool, text: string, remedy: string}>}
	 * @throws ServiceError
	 */
	public function steps(): array {
		$answer = $this->services->service_client()->call( 'AccountService', 'CheckAccount', array(), self::TIMEOUT_SECONDS );
		$steps  = array();
		foreach ( array_filter( (array) ( $answer['steps'] ?? array() ), 'is_array' ) as $step ) {
			$steps[] = array(
				'side'   => strtolower( str_replace( 'SIDE_', '', (string) ( $step['side'] ?? 'SIDE_SERVICE' ) ) ),
				'ok'     => true === ( $step['ok'] ?? false ),
				'text'   => (string) ( $step['text'] ?? '' ),
				'remedy' => (string) ( $step['remedy'] ?? '' ),
			);
		}
		return array( 'ok' => true === ( $answer['ok'] ?? false ), 'steps' => $steps );
	}

	/** @return array<string, mixed> A result of Site Health. */
	public function run(): array {
		$health = $this->services->get( SiteHealth::class );
		if ( null === $this->services->copy_guard()->usable() ) {
			return $health->result( 'service', 'recommended', __( 'The tillsync service was not asked', 'tillsync-bridge' ), __( 'The shop is not connected, or must first say whether it is a copy.', 'tillsync-bridge' ) );
		}
		try {
			$checked = $this->steps();
		} catch ( ServiceError $error ) {
			return $health->result( 'service', 'critical', __( 'The tillsync service does not answer', 'tillsync-bridge' ), $error->sentence() );
		}
		if ( $checked['ok'] ) {
			return $health->result( 'service', 'good', __( 'Till and shop answer the tillsync service', 'tillsync-bridge' ), __( 'Every step of the test went well.', 'tillsync-bridge' ) );
		}
		$failed = array_filter( $checked['steps'], static fn( array $step ) => ! $step['ok'] );
		$said   = array_map( static fn( array $step ) => trim( "{$step['text']} {$step['remedy']}" ), $failed );
		return $health->result( 'service', 'critical', __( 'The tillsync service cannot use the till or the shop', 'tillsync-bridge' ), implode( ' ', $said ) );
	}
}
